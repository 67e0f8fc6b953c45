import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../src/north/turns.js";

test("so many of one account and so many in all run at a time; accounts take turns, each in its own order", () => {
	const turns = new Turns(2, 3);
	const begun: string[] = [];
	const ends = new Map<string, () => void>();
	const take = (name: string): void => void ends.set(name, turns.take(name[0]!, () => begun.push(name)));
	const next = (...ended: readonly string[]): string[] => {
		for (const name of ended) ends.get(name)!();
		return begun.splice(0);
	};
	for (const name of ["a1", "a2", "a3", "a4", "a5"]) take(name);
	assert.deepEqual(next(), ["a1", "a2"]);
	for (const name of ["b1", "b2", "c1"]) take(name);
	assert.deepEqual(next(), ["b1"]);
	assert.deepEqual(next("a1"), ["b2"], "who was first in line for what is left");
	assert.deepEqual(next("a4"), [], "it is not wanted any more");
	assert.deepEqual(next("b1"), ["c1"]);
	assert.deepEqual(next("b1", "a4"), [], "what has ended ends once");
	assert.deepEqual(next("b2"), ["a3"]);
	assert.deepEqual(next("a2", "a3", "c1"), ["a5"]);
	assert.deepEqual(next("a5"), []);
	for (const name of ["f1", "f2", "g1", "f3", "f4", "h1"]) take(name);
	assert.deepEqual(next(), ["f1", "f2", "g1"]);
	assert.deepEqual(next("g1"), ["h1"]);
	assert.deepEqual(next("f1", "f2", "h1"), ["f3", "f4"]);
	next("f3", "f4");
	const one = new Turns(2, 1);
	const end = one.take("a", () => begun.push("a1"));
	for (const name of ["a2", "a3", "b1"]) ends.set(name, one.take(name[0]!, () => begun.push(name)));
	end();
	assert.deepEqual(next(), ["a1", "a2"]);
	assert.deepEqual(next("a2"), ["b1"], "though a has waited for its third one since before");
	assert.deepEqual(next("b1"), ["a3"]);
	for (const name of ["d1", "d2", "d3"]) take(name);
	assert.deepEqual(next(), ["d1", "d2"], "nothing of those who have left is counted");
});

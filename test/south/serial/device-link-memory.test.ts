import assert from "node:assert/strict";
import { test } from "node:test";
import { ReportMemory } from "../../../src/south/serial/device-link-memory.js";

const AT = Date.UTC(2026, 0, 1);
const nothing = (): void => {};

test("a report that an earlier run took is acknowledged at once, and is not new", () => {
	const first = new ReportMemory();
	const { id, hash } = first.hear(7, [2150n, undefined], AT, nothing)!;
	const next = new ReportMemory({ delivered: [{ id, hash }], release: nothing });
	let acknowledged = 0;
	assert.equal(next.hear(7, [2150n, undefined], AT + 900, () => acknowledged++), undefined);
	assert.equal(acknowledged, 1);
});

for (const [what, seq, values, at] of [
	["another number", 8, [2150n], AT],
	["other values", 7, [2151n], AT],
	["a value less", 7, [2150n, undefined], AT],
	["the same values a round of numbers later", 7, [2150n], AT + 60_000],
] as const) {
	test(`${what} is another report`, () => {
		const memory = new ReportMemory();
		memory.hear(7, [2150n], AT, nothing);
		assert.notEqual(memory.hear(seq, values, at, nothing), undefined);
	});
}

test("a report that comes again while its readings are being written is acknowledged when they are", () => {
	const memory = new ReportMemory();
	const said: string[] = [];
	const report = memory.hear(7, [1n], AT, () => said.push("first"))!;
	assert.equal(memory.hear(7, [1n], AT, () => said.push("second")), undefined);
	assert.deepEqual(said, []);
	report.taken();
	assert.deepEqual(said, ["first", "second"]);
});

test("a device that has started anew may say what it said before", () => {
	const memory = new ReportMemory();
	memory.hear(0, [1n], AT, nothing);
	memory.forget();
	assert.notEqual(memory.hear(0, [1n], AT, nothing), undefined);
});

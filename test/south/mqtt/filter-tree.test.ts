import assert from "node:assert/strict";
import { test } from "node:test";
import { FilterTree } from "../../../src/south/mqtt/filter-tree.js";
import { covers } from "../../../src/south/mqtt/pattern.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

// MQTT 3.1.1, sections 4.7.1.2, 4.7.1.3 and 4.7.2.
for (const [filter, topic, wanted] of [
	["sport/tennis/player1/#", "sport/tennis/player1", true],
	["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
	["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
	["sport/tennis/player1/#", "sport/tennis/player2", false],
	["sport/+", "sport", false],
	["sport/+", "sport/", true],
	["sport/+", "sport/a/b", false],
	["+/+", "/finance", true],
	["/+", "/finance", true],
	["+", "/finance", false],
	["#", "$SYS/monitor", false],
	["+/monitor/Clients", "$SYS/monitor/Clients", false],
	["$SYS/#", "$SYS/monitor", true],
	["a/+/c", "a/b/c", true],
	["a/b", "a/b/c", false],
	["a/b/c", "a/b", false],
	["+/a/#", "x/a", true],
] as const) {
	test(`"${filter}" ${wanted ? "matches" : "does not match"} "${topic}"`, () => assert.equal(new FilterTree([filter]).matches(topic), wanted));
}

test("covers() says what comparing each pair of filters says", () => {
	const chance = new Chance(7);
	const level = (): string => ["a", "b", "+", "$s", ""][chance.int(5)]!;
	for (let run = 0; run < RUNS; run++) {
		const filters = [...new Set(Array.from({ length: 1 + chance.int(8) }, () => {
			const levels = Array.from({ length: 1 + chance.int(4) }, level);
			if (chance.int(3) === 0) levels.push("#");
			return levels.join("/");
		}))];
		const tree = new FilterTree(filters);
		for (const filter of filters) assert.equal(tree.covers(filter), filters.some((wide) => wide !== filter && covers(wide, filter)), `${filter} among ${filters.join(" ")}`);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildConventions, CONVENTION_NAMES, isConventionName } from "../../../src/south/conventions/all.js";

test("buildConventions() without names makes all that are built, native ones before Home Assistant discovery", () => {
	const { conventions, notBuilt } = buildConventions();
	const names = conventions.map(({ name }) => name);
	assert.equal(names.at(-1), "homeassistant");
	assert.ok(names.includes("zigbee2mqtt"));
	assert.deepEqual(notBuilt, []);
});

test("buildConventions() makes those that are named, in its own order, and tells which are not built", () => {
	const { conventions, notBuilt } = buildConventions([...CONVENTION_NAMES, "homeassistant", "nonsense"]);
	const built = conventions.map(({ name }) => name);
	assert.deepEqual(built.slice(-2), ["homeassistant", "generic"]);
	assert.deepEqual([...built, ...notBuilt].sort(), [...CONVENTION_NAMES].sort());
	assert.deepEqual(buildConventions([]), { conventions: [], notBuilt: [] });
});

test("buildConventions() hands the options on", () => {
	const { conventions } = buildConventions(["homeassistant", "zigbee2mqtt"], { homeassistant: { prefix: "ha" }, zigbee2mqtt: { base: "zb" } });
	assert.deepEqual(conventions.flatMap((convention) => convention.filters()).sort(), ["ha/+/+/+/config", "ha/+/+/config", "zb/#"]);
});

test("isConventionName() knows every name and no other", () => {
	assert.ok(CONVENTION_NAMES.every(isConventionName));
	assert.ok(!isConventionName("zigbee"));
});

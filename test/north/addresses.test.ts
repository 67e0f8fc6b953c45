import assert from "node:assert/strict";
import { test } from "node:test";
import { fullJidOf, jidOf, resolve, whoOf } from "../../src/north/addresses.js";
import { DOMAIN, harness, WEATHER } from "./harness.js";

test("a device id and its address are each other's inverse", () => {
	const ids = ["lamp-1", "zigbee2mqtt/0x00158d", "boiler 1", "a@b", "back\\slash", "c:\\5net", "grün", "°c", "x'y\"z", "#+$"];
	const { verbs, registry } = harness(() => [], { devices: Object.fromEntries(ids.map((id) => [id, WEATHER])) });
	for (const id of ids) {
		const jid = jidOf(DOMAIN, id);
		assert.ok(jid !== undefined);
		const found = resolve(verbs, jid);
		assert.deepEqual([found?.id, found?.jid, found?.isBare, found?.twin], [id, jid, true, registry.byId(id)]);
		assert.equal(resolve(verbs, `${jid}/any/resource`)?.isBare, false);
	}
});

test("the gateway is the domain itself, with the same resource", () => {
	const { verbs } = harness(() => []);
	assert.deepEqual(resolve(verbs, DOMAIN), { id: "", jid: DOMAIN, isBare: true, twin: undefined });
	assert.equal(resolve(verbs, `${DOMAIN}/x`)?.id, "");
	assert.deepEqual([jidOf(DOMAIN, ""), fullJidOf(DOMAIN, ""), fullJidOf(DOMAIN, "boiler 1")], [DOMAIN, `${DOMAIN}/thing`, `boiler\\201@${DOMAIN}/thing`]);
});

test("resolve() knows an unknown device from another domain's address", () => {
	const { verbs } = harness(() => []);
	assert.deepEqual(resolve(verbs, `Nothing\\20here@${DOMAIN}`), { id: "nothing here", jid: `nothing\\20here@${DOMAIN}`, isBare: true, twin: undefined });
	for (const to of ["", "@", "weather@other.example", `weather@x.${DOMAIN}`, `${DOMAIN}.evil.example`]) assert.equal(resolve(verbs, to), undefined, to);
});

test("a device has one address: a localpart that escapes too much is another one", () => {
	const { verbs } = harness(() => [], { devices: { "a\\b": WEATHER } });
	assert.ok(resolve(verbs, `a\\b@${DOMAIN}`)?.twin);
	assert.equal(resolve(verbs, `a\\5cb@${DOMAIN}`)?.twin, undefined);
});

test("an id that no localpart can carry has no address", () => {
	for (const id of ["a\u0000b", "\u202e", "x".repeat(1_024), " "]) assert.equal(fullJidOf(DOMAIN, id), undefined);
});

test("whoOf() is the bare JID that access rules are written in", () => {
	assert.deepEqual(["Alice@Example.ORG/Desk", "example.org", "alice@example.org./x", "", "a b@c", "@x"].map(whoOf), ["alice@example.org", "example.org", "alice@example.org", undefined, undefined, undefined]);
});

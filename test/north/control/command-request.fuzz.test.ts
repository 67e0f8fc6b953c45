import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { checkValue } from "../../../src/core/point.js";
import { MAX_COMMANDS } from "../../../src/north/control/command-request.js";
import { control } from "../../../src/north/control/control.js";
import { NEURO_CONTROL, neuroControl } from "../../../src/north/control/neuro-control.js";
import { xep0325 } from "../../../src/north/control/xep0325.js";
import { type Element, xml } from "../../../src/xmpp/xml.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";
import { harness, iq, PUMP } from "../harness.js";

const TYPES = ["boolean", "bool", "double", "int", "long", "string", "enum", "color", "date", "dateTime", "time", "duration", "numeric", "b", "db", "i", "l", "s", "e", "cl", "d", "dt", "t", "dr", "q"];
const OTHERS = ["node", "nd", "field", "value", "p", "set"];
const VALUES = ["", "0", "1", "true", "false", "50", "50.0", "1e1", "-1", "101", "NaN", "INF", "0x10", " 7 ", "auto", "AUTO", "speed", "__proto__", "pump-1", "#ff0000", "PT1S", "P", "2026-01-01", "9".repeat(80), "é\ud83d\ude00"];
/** What is right in one vocabulary or the other, so that some sets get to the device. */
const FITTING = [["double", "db", "speed", "50"], ["boolean", "b", "running", "true"], ["string", "s", "mode", "auto"]] as const;
const POINTS = ["speed", "running", "mode", "flow", "SPEED", "__proto__", "toString", ""];

function random(chance: Chance, xmlns: string): Element {
	const children = Array.from({ length: chance.int(4) }, (): Element => {
		if (chance.int(6) === 0) {
			return xml("x", { xmlns: "jabber:x:data", type: chance.pick(["submit", "submit", "submit", "cancel", "form"]) },
				...Array.from({ length: chance.int(4) }, () => xml("field", { var: chance.int(8) === 0 ? undefined : chance.pick([...POINTS, "xdd session"]) }, ...Array.from({ length: chance.int(3) }, () => xml("value", {}, chance.pick(VALUES))))));
		}
		if (chance.int(2) === 0) {
			const [x, n, name, value] = chance.pick(FITTING);
			return xml(xmlns === "urn:xmpp:iot:control" ? x : n, { name, n: name, value, v: value });
		}
		const attrs: Record<string, string | undefined> = { nodeId: "pump-1", id: "pump-1", name: chance.pick(POINTS), n: chance.pick(POINTS), value: chance.pick(VALUES), v: chance.pick(VALUES) };
		if (chance.int(4) === 0) delete attrs[chance.pick(Object.keys(attrs))];
		return xml(chance.int(8) === 0 ? chance.pick(OTHERS) : chance.pick(TYPES), attrs);
	});
	return xml("set", { xmlns }, ...children);
}

test("parse() of both vocabularies throws nothing but GatewayError, and gives no more than it may", () => {
	const chance = new Chance(3);
	const codecs = [xep0325({ legacyErrors: true }), ...NEURO_CONTROL.map(neuroControl)];
	let understood = 0;
	for (let run = 0; run < RUNS; run++) {
		const codec = chance.pick(codecs);
		try {
			assert.ok(codec.parse(random(chance, codec.xmlns)).parameters.length <= MAX_COMMANDS);
			understood++;
		} catch (error) {
			assert.ok(error instanceof GatewayError, String(error));
			assert.ok(error.message.startsWith("Cannot ") && error.message.length < 300, error.message);
		}
	}
	assert.ok(understood > RUNS / 20, `${understood}`);
});

test("whatever is set, only values that their points take are executed, and a refused set executes none", async () => {
	const chance = new Chance(4);
	const h = harness((verbs) => [control(verbs)]);
	let executed = 0;
	for (let run = 0; run < RUNS / 10; run++) {
		h.commands.length = 0;
		await h.clock.advance(1_000); // the router lets nobody flood it
		const [said = "", ...more] = await h.ask(iq("set", "alice@example.org/pc", "pump-1@things.example.org", random(chance, chance.pick(["urn:xmpp:iot:control", ...NEURO_CONTROL])).toString(), String(run)));
		assert.deepEqual(more, []);
		if (said.includes("type='error'")) assert.deepEqual(h.commands, [], said);
		for (const { point, value } of h.commands) checkValue(point, PUMP[point]!, value);
		executed += h.commands.length;
	}
	assert.ok(executed > RUNS / 100, `${executed}`);
	assert.deepEqual(h.complaints, []);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { concentrator } from "../../src/north/concentrator/concentrator.js";
import { NEURO_CONCENTRATOR } from "../../src/north/concentrator/neuro-concentrator.js";
import { Windows } from "../../src/north/window.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { type Element, xml } from "../../src/xmpp/xml.js";
import { Chance, RUNS } from "../fakes/fuzz.js";
import { DOMAIN, type Harness, harness, iq, PUMP, WEATHER } from "./harness.js";

const X = "urn:xmpp:iot:concentrators";
const OPERATIONS = "getCapabilities getAllDataSources getRootDataSources getChildDataSources containsNode containsNodes getNode getNodes getAllNodes getRootNodes getChildNodes getAncestors getNodeInheritance getNodeCommands getCommandParameters executeNodeCommand subscribe unsubscribe createNewNode executeNodeQuery getIndices".split(" ");
/** What fits the attribute, so that most requests get past the door. */
const FITTING: Readonly<Record<string, readonly string[]>> = {
	id: ["weather", "pump-1", "PUMP-1", "secret"], nodeId: ["weather", "pump-1", "secret"], src: ["MeteringTopology", ""], sourceId: ["MeteringTopology"], pt: [""], cacheType: [""],
	command: ["set"], ttl: ["1", "600"], parameters: ["true", "0"], messages: ["1", "false"], nodeAdded: ["false"], nodeRemoved: ["true"], type: ["submit", "cancel"], var: ["speed", "running", "mode", "flow", "xdd session"], getEventsSince: ["2026-01-01T00:00:00Z"],
};
const ATTRS = Object.keys(FITTING);
const VALUES = ["", "1", "true", "perhaps", "-1", "__proto__", "constructor", "set", "weather", "\u0130", "é\ud83d\ude00", "9".repeat(40), "a".repeat(300), "<&'\""];
const CHILDREN: readonly (readonly [string, string | undefined])[] = [["nd", undefined], ["node", undefined], ["onlyIfDerivedFrom", undefined], ["x", "jabber:x:data"], ["x", undefined], ["sortOrder", undefined]];

function attrsFor(chance: Chance, always: readonly string[]): Record<string, string> {
	const names = [...always.filter(() => chance.int(12) > 0), ...Array.from({ length: chance.int(3) }, () => chance.pick(ATTRS))];
	return Object.fromEntries(names.map((name) => [name, chance.pick(chance.int(12) === 0 ? VALUES : (FITTING[name] ?? VALUES))]));
}

function request(chance: Chance, xmlns: string): Element {
	const child = (): Element => {
		const [name, other] = chance.pick(CHILDREN);
		const fields = name === "x" ? Array.from({ length: chance.int(3) }, () => xml("field", attrsFor(chance, ["var"]), xml("value", {}, chance.pick(["50", "true", "auto", ...VALUES])))) : [];
		return xml(name, { ...(name === "x" ? { type: chance.int(6) === 0 ? "form" : "submit" } : attrsFor(chance, ["id", "nodeId"])), ...((other !== undefined || chance.int(8) === 0) && { xmlns: other ?? "urn:example" }) }, ...fields, name === "onlyIfDerivedFrom" ? "jidway.device" : undefined);
	};
	const operation = chance.pick(OPERATIONS);
	const children = operation === "executeNodeCommand" && chance.int(4) > 0 ? [xml("x", { xmlns: "jabber:x:data", type: "submit" }, xml("field", attrsFor(chance, ["var"]), xml("value", {}, chance.pick(["50", "true", "auto", "x"]))))] : Array.from({ length: chance.int(3) }, child);
	return xml(operation, { xmlns, ...attrsFor(chance, xmlns === X ? ["nodeId", "sourceId"] : ["id", "src", "command", "ttl"]) }, ...children);
}

/** Mostly the type of iq that the operation is asked by. */
function typeFor(chance: Chance, { name }: Element): "get" | "set" {
	return (name.startsWith("get") || name.startsWith("contains")) === (chance.int(8) > 0) ? "get" : "set";
}

function world(isSecretThere: boolean): Harness {
	let ids = 0;
	return harness((verbs) => [concentrator(verbs, { windows: new Windows(verbs), newId: () => `id-${++ids}` })], {
		devices: { "weather": WEATHER, "pump-1": PUMP, ...(isSecretThere && { secret: PUMP }) },
		access: [{ who: "carol@example.org", role: "none", devices: ["secret"] }, { who: "carol@example.org", role: "operator", devices: ["pump-*"] }, { who: "carol@example.org", role: "viewer", points: { weather: ["temperature"] } }],
	});
}

/** Something happens to a device. */
async function live(h: Harness, chance: Chance, ids: readonly string[]): Promise<void> {
	const id = chance.pick(ids);
	if (!h.registry.find(id)) return h.announce(id, PUMP);
	switch (chance.int(4)) {
		case 0: return h.state(id, chance.pick(["online", "offline", "faulty", "asleep"]), chance.pick(["lost", "why"]));
		case 1: return h.report(id, h.twin(id).device.points["flow"] === undefined ? { temperature: "2" } : { flow: "1", running: true });
		case 2: return h.remove(id);
		default: return h.announce(id, { name: chance.pick(["A", "B"]), points: chance.pick([WEATHER, PUMP]) });
	}
}

test("every request has one answer of its own vocabulary, and nothing but what he may command is commanded", async () => {
	const chance = new Chance(1);
	const h = world(true);
	let results = 0;
	for (let run = 0; run < RUNS; run++) {
		const xmlns = chance.pick([...NEURO_CONCENTRATOR, X]);
		const payload = request(chance, xmlns);
		const said = (await h.ask(iq(typeFor(chance, payload), "carol@example.org/pc", DOMAIN, payload.toString(), `r${run}`))).filter((text) => text.startsWith("<iq"));
		assert.equal(said.length, 1, `${payload}\n${said.join("\n")}`);
		const answer = parseStanza(said[0]!);
		if (answer.attrs["type"] === "result") {
			results++;
			for (const element of answer.elements()) assert.ok(element.xmlns === xmlns || element.name === "x", String(answer));
		} else {
			assert.ok(answer.child("error"), String(answer));
			assert.ok(!answer.child("error")?.child("internal-server-error"), String(answer));
		}
		if (run % 50 === 0) await h.clock.advance(10_000);
	}
	assert.ok(results > RUNS / 4, String(results));
	assert.ok(h.commands.every(({ device }) => device === "pump-1") && h.commands.length > 0, `${h.commands.length}`);
	assert.deepEqual(h.complaints, []);
	await h.clock.advance(86_400_000);
	assert.equal(h.clock.pending, 0);
});

test("whatever is asked, and whatever becomes of it, a device that he may not see changes no answer and no event", async () => {
	for (let seed = 0; seed < Math.max(10, RUNS / 100); seed++) {
		const worlds = [world(true), world(false)];
		const order = new Chance(seed);
		for (let step = 0; step < 40; step++) {
			const xmlns = order.pick([...NEURO_CONCENTRATOR, X]);
			const payload = request(order, xmlns);
			const stanza = iq(typeFor(order, payload), "carol@example.org/pc", DOMAIN, payload.toString(), `r${step}`);
			const kind = order.int(3);
			const lifeSeed = order.int(1e9);
			for (const [index, h] of worlds.entries()) {
				if (kind === 0) await h.hear(stanza);
				else if (kind === 1) await live(h, new Chance(lifeSeed), ["weather", "pump-1"]);
				else if (index === 0) await live(h, new Chance(lifeSeed), ["secret"]);
				await h.clock.advance(60);
			}
			const [here, not] = worlds.map((h) => h.take());
			assert.deepEqual(here, not, `seed ${seed}, step ${step}: ${stanza}`);
		}
	}
});

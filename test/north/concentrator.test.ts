import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../src/core/command.js";
import { GatewayError } from "../../src/core/errors.js";
import type { Points } from "../../src/core/point.js";
import { textOf } from "../../src/core/value.js";
import { concentrator } from "../../src/north/concentrator/concentrator.js";
import { NEURO_CONCENTRATOR } from "../../src/north/concentrator/neuro-concentrator.js";
import { MAX_LIST_BYTES } from "../../src/north/concentrator/topology.js";
import { control } from "../../src/north/control/control.js";
import { readout } from "../../src/north/readout/readout.js";
import { Windows } from "../../src/north/window.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import type { Element } from "../../src/xmpp/xml.js";
import { DOMAIN, harness, type Harness, type HarnessOptions, iq, WEATHER } from "./harness.js";

let ids = 0;
const newId = (): string => `id-${++ids}`;
const N = "urn:nf:iot:concentrator:1.0";
const X = "urn:xmpp:iot:concentrators";
const ALICE = "alice@example.org/pc";
const OSCAR = "oscar@ops.example.org/desk";
const BOB = "bob@partner.example/desk";
const T0 = "2026-01-01T00:00:00Z";
const BOILER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	setpoint: { kind: "numeric", access: "rw", unit: "°C", min: 20, max: 80 },
	burner: { kind: "boolean", access: "rw" },
	serial: { kind: "text", access: "r", category: "identity", label: "Serial number" },
	hours: { kind: "numeric", access: "r", category: "identity" },
	reset: { kind: "boolean", access: "w" },
};
const DEVICES: NonNullable<HarnessOptions["devices"]> = {
	boiler: { name: "Boiler 1", manufacturer: "Acme", model: "B-9", firmware: "1.2", type: "climate", points: BOILER },
	weather: WEATHER,
};

function bench(options: HarnessOptions = {}): Harness {
	return harness((verbs) => [concentrator(verbs, { windows: new Windows(verbs), newId }), readout(verbs), control(verbs)], { devices: DEVICES, ...options });
}

async function ask(h: Harness, type: "get" | "set", payload: string, from = ALICE, to = DOMAIN): Promise<Element> {
	const said = await h.ask(iq(type, from, to, payload));
	assert.equal(said.length, 1, said.join("\n"));
	return parseStanza(said[0]!);
}

/** What is in the result; the test fails on an error. */
async function told(h: Harness, operation: string, content = "", from = ALICE, type: "get" | "set" = "get", xmlns = N): Promise<string> {
	const [name = ""] = operation.split(" ");
	const answer = await ask(h, type, `<${operation} xmlns='${xmlns}'>${content}</${name}>`, from);
	assert.equal(answer.attrs["type"], "result", String(answer));
	return answer.children.join("");
}

/** The condition of the error; the test fails on a result. */
async function refused(h: Harness, operation: string, content = "", from = ALICE, type: "get" | "set" = "get", xmlns = N): Promise<string> {
	const [name = ""] = operation.split(" ");
	const answer = await ask(h, type, `<${operation} xmlns='${xmlns}'>${content}</${name}>`, from);
	assert.equal(answer.attrs["type"], "error", String(answer));
	return answer.child("error")?.elements()[0]?.name ?? "";
}

const WEATHER_NODE = `id='weather' src='MeteringTopology' nodeType='jidway.device' displayName='weather' state='WarningUnsigned' hasChildren='false' isReadable='true' isControllable='false' hasCommands='false' lastChanged='${T0}'`;
const BOILER_NODE = `id='boiler' src='MeteringTopology' nodeType='jidway.device.climate' displayName='Boiler 1' state='WarningUnsigned' hasChildren='false' isReadable='true' isControllable='true' hasCommands='true' lastChanged='${T0}'`;
const SRC = "src='MeteringTopology'";

test("getAllDataSources and getRootDataSources tell of MeteringTopology, which has no children", async () => {
	const h = bench();
	const sources = `<dataSources xmlns='${N}'><dataSource src='MeteringTopology' name='Devices' hasChildren='false'/></dataSources>`;
	assert.equal(await told(h, "getAllDataSources"), sources);
	assert.equal(await told(h, "getRootDataSources st='a' dt='b' ut='c' xml:lang='de'"), sources);
	assert.equal(await told(h, `getChildDataSources ${SRC}`), `<dataSources xmlns='${N}'/>`);
});

test("every device is a root node, without children, and its own only ancestor", async () => {
	const h = bench();
	const both = `<nodeInfos xmlns='${N}'><nodeInfo ${BOILER_NODE}/><nodeInfo ${WEATHER_NODE}/></nodeInfos>`;
	assert.equal(await told(h, `getRootNodes ${SRC}`), both);
	assert.equal(await told(h, `getAllNodes ${SRC} parameters='0'`), both);
	assert.equal(await told(h, `getNodes`, `<nd id='BOILER' ${SRC}/><nd id='weather'/>`), both);
	assert.equal(await told(h, `getChildNodes id='weather' ${SRC}`), `<nodeInfos xmlns='${N}'/>`);
	assert.equal(await told(h, `getAncestors id='weather' ${SRC}`), `<nodeInfos xmlns='${N}'><nodeInfo ${WEATHER_NODE}/></nodeInfos>`);
	assert.equal(await told(h, `getNode id='weather' ${SRC} pt=''`), `<nodeInfo xmlns='${N}' ${WEATHER_NODE}/>`);
});

test("an answer is in the URN of its request", async () => {
	for (const xmlns of NEURO_CONCENTRATOR) assert.equal(await told(bench(), "containsNode id='weather'", "", ALICE, "get", xmlns), `<bool xmlns='${xmlns}'>true</bool>`);
});

test("parameters and messages are told only to who asks for them", async () => {
	const h = bench();
	await h.report("boiler", { serial: "A7", hours: "12.50", temperature: "71.5" });
	const boiler = BOILER_NODE.replace("WarningUnsigned", "None");
	const string = (id: string, name: string, value: string): string => `<string id='${id}' name='${name}' value='${value}'/>`;
	const identity = [string("jid", "XMPP address", `boiler@${DOMAIN}`), string("manufacturer", "Manufacturer", "Acme"), string("model", "Model", "B-9"), string("firmware", "Firmware", "1.2"), string("availability", "Availability", "online"), string("serial", "Serial number", "A7"), "<double id='hours' name='hours' value='12.50'/>"].join("");
	assert.equal(await told(h, "getNode id='boiler'"), `<nodeInfo xmlns='${N}' ${boiler}/>`);
	assert.equal(await told(h, "getNode id='boiler' parameters='true' messages='1'"), `<nodeInfo xmlns='${N}' ${boiler}>${identity}</nodeInfo>`);
	assert.equal(await told(h, "getNode id='weather' messages='true'"), `<nodeInfo xmlns='${N}' ${WEATHER_NODE}><message timestamp='${T0}' type='Warning'>not heard from yet</message></nodeInfo>`);
});

test("the state of a node is the availability of its device", async () => {
	for (const [state, expected, message] of [
		["online", "None", undefined], ["asleep", "Information", "Information'>asleep<"], ["faulty", "ErrorUnsigned", "Error'>why &amp; how<"], ["offline", "ErrorUnsigned", "Error'>offline<"],
	] as const) {
		const h = bench();
		await h.state("weather", state, state === "faulty" ? "why & how" : undefined);
		const node = await told(h, "getNode id='weather' messages='true'");
		assert.match(node, new RegExp(` state='${expected}'`), state);
		if (message === undefined) assert.doesNotMatch(node, /<message/);
		else assert.ok(node.includes(message), node);
	}
});

test("containsNode and containsNodes answer for what he may see, in the order of the question", async () => {
	const h = bench();
	assert.equal(await told(h, "containsNode id='nothing'"), `<bool xmlns='${N}'>false</bool>`);
	assert.equal(await told(h, "containsNodes", `<nd id='weather'/><nd id='x'/><nd id='boiler' src='Other'/><nd id='boiler' pt='p'/><nd id='boiler' ${SRC}/>`), `<bools xmlns='${N}'>${["true", "false", "false", "false", "true"].map((bool) => `<bool>${bool}</bool>`).join("")}</bools>`);
	assert.equal(await told(h, "containsNodes", "<nd id='weather'/><nd id='boiler'/>", BOB), `<bools xmlns='${N}'><bool>true</bool><bool>false</bool></bools>`);
});

test("types make a small hierarchy, by which getAllNodes can choose", async () => {
	const h = bench();
	const inheritance = (classes: string, interfaces: string): string => `<inheritance xmlns='${N}'>${classes}${interfaces}</inheritance>`;
	const values = (name: string, ...all: string[]): string => `<${name}>${all.map((each) => `<value>${each}</value>`).join("")}</${name}>`;
	assert.equal(await told(h, "getNodeInheritance id='boiler'"), inheritance(values("baseClasses", "jidway.device"), values("interfaces", "jidway.readable", "jidway.controllable")));
	assert.equal(await told(h, "getNodeInheritance id='weather'"), inheritance("<baseClasses/>", values("interfaces", "jidway.readable")));
	const ids = async (...types: string[]): Promise<string[]> => [...(await told(h, `getAllNodes ${SRC}`, types.map((type) => `<onlyIfDerivedFrom>${type}</onlyIfDerivedFrom>`).join(""))).matchAll(/ id='([^']*)'/g)].map((match) => match[1]!);
	assert.deepEqual(await ids("jidway.device"), ["boiler", "weather"]);
	assert.deepEqual(await ids("jidway.device.climate"), ["boiler"]);
	assert.deepEqual(await ids("jidway.controllable"), ["boiler"]);
	assert.deepEqual(await ids("Acme.Other", "jidway.readable"), ["boiler", "weather"]);
	assert.deepEqual(await ids("Acme.Other"), []);
});

test("a type that a device gives itself becomes a name", async () => {
	const h = bench({ devices: { a: { type: " <Tür>'/2 ", points: WEATHER }, b: { type: "''", points: WEATHER } } });
	assert.match(await told(h, "getNode id='a'"), / nodeType='jidway\.device\.t-r-2' /);
	assert.match(await told(h, "getNode id='b'"), / nodeType='jidway\.device' /);
});

test("a wrong source, a missing one where one is needed, a partition and an unknown node are item-not-found; a wrong attribute is bad-request", async () => {
	const h = bench();
	for (const operation of ["getRootNodes", "getAllNodes", "getChildDataSources"]) {
		for (const src of ["", " src=''", " src='Other'", " src='meteringtopology'"]) assert.equal(await refused(h, operation + src), "item-not-found", operation + src);
	}
	for (const operation of ["getNode", "getChildNodes", "getAncestors", "getNodeInheritance", "getNodeCommands"]) {
		for (const attrs of [" id='nothing'", " id='boiler' src='Other'", " id='boiler' pt='1'", " id=''"]) assert.equal(await refused(h, operation + attrs), "item-not-found", operation + attrs);
		assert.equal(await refused(h, operation), "bad-request", operation);
	}
	assert.equal(await refused(h, "getNodes", "<nd id='boiler'/><nd id='nothing'/>"), "item-not-found");
	assert.equal(await refused(h, "getNodes", "<nd/>"), "bad-request");
	assert.equal(await refused(h, `getRootNodes ${SRC} parameters='yes'`), "bad-request");
	assert.equal(await refused(h, "getNodes", "<nd id='boiler'/>".repeat(1_001)), "bad-request");
	assert.deepEqual(h.complaints, []);
});

test("getCapabilities lists exactly what is answered: each operation on it works, each other known one is feature-not-implemented", async () => {
	const known = "getCapabilities getAllDataSources getRootDataSources getChildDataSources containsNode containsNodes getNode getNodes getAllNodes getNodeInheritance getRootNodes getChildNodes getAncestors getNodeParametersForEdit setNodeParametersAfterEdit getCommonNodeParametersForEdit setCommonNodeParametersAfterEdit getAddableNodeTypes getParametersForNewNode createNewNode destroyNode moveNodeUp moveNodeDown moveNodesUp moveNodesDown subscribe unsubscribe getNodeCommands getCommandParameters executeNodeCommand executeNodeQuery getCommonNodeCommands getCommonCommandParameters executeCommonNodeCommand executeCommonNodeQuery abortNodeQuery abortCommonNodeQuery registerSniffer unregisterSniffer".split(" ");
	const writes = new Set(["executeNodeCommand", "subscribe", "unsubscribe"]);
	for (const xmlns of NEURO_CONCENTRATOR) {
		const h = bench();
		const listed = [...(await told(h, "getCapabilities", "", ALICE, "get", xmlns)).matchAll(/<value>(\w+)<\/value>/g)].map((match) => match[1]!);
		assert.equal(new Set(listed).size, listed.length);
		assert.deepEqual(listed.filter((name) => !known.includes(name)), []);
		for (const name of known) {
			const payload = `<${name} xmlns='${xmlns}' id='boiler' ${SRC} command='set' ttl='60'><nd xmlns='${xmlns}' id='boiler'/><x xmlns='jabber:x:data' type='submit'/></${name}>`;
			if (listed.includes(name)) {
				const content = name === "executeNodeCommand" ? payload.replace(/<nd[^>]*>/, "") : payload;
				assert.equal((await ask(h, writes.has(name) ? "set" : "get", content)).attrs["type"], "result", name);
			} else {
				for (const type of ["get", "set"] as const) assert.ok((await ask(h, type, payload)).child("error")?.child("feature-not-implemented"), name);
			}
		}
		h.close();
	}
});

test("XEP-0326: getCapabilities lists exactly the five operations that are answered; every other one is NotImplemented", async () => {
	const h = bench();
	const five = ["getCapabilities", "getAllDataSources", "getRootNodes", "getChildNodes", "getNode"];
	assert.equal(await told(h, "getCapabilities", "", ALICE, "get", X), `<getCapabilitiesResponse xmlns='${X}' result='OK'>${five.map((name) => `<value>${name}</value>`).join("")}</getCapabilitiesResponse>`);
	for (const name of five) assert.equal((await ask(h, "get", `<${name} xmlns='${X}' nodeId='boiler' sourceId='MeteringTopology'/>`)).attrs["type"], "result", name);
	for (const name of ["getRootDataSources", "getChildDataSources", "containsNode", "containsNodes", "getNodes", "getAllNodes", "getNodeInheritance", "getAncestors", "getIndices", "getNodesFromIndex", "getNodesFromIndices", "getAllIndexValues", "getNodeParametersForEdit", "setNodeParametersAfterEdit", "getAddableNodeTypes", "getParametersForNewNode", "createNewNode", "destroyNode", "getNodeCommands", "getCommandParameters", "executeNodeCommand", "executeNodeQuery", "abortNodeQuery", "moveNodeUp", "subscribe", "unsubscribe", "getDatabases", "getDatabaseReadoutParameters", "startDatabaseReadout"]) {
		const answer = await ask(h, "get", `<${name} xmlns='${X}'/>`);
		assert.equal(answer.child(`${name}Response`, X)?.attrs["result"], "NotImplemented", name);
		assert.ok(answer.child("error")?.child("feature-not-implemented"), name);
	}
});

test("XEP-0326: nodes in its own names and envelope, and errors with both a result and an <error/>", async () => {
	const h = bench({ devices: { weather: WEATHER } });
	const attrs = WEATHER_NODE.replace("id='weather' src=", "nodeId='weather' sourceId=").replace("='jidway.device' displayName='weather'", "").replace(" nodeType", " displayName='weather' nodeType='jidway.device'");
	assert.equal(await told(h, "getAllDataSources", "", ALICE, "get", X), `<getAllDataSourcesResponse xmlns='${X}' result='OK'><dataSource sourceId='MeteringTopology' name='Devices' hasChildren='false'/></getAllDataSourcesResponse>`);
	assert.equal(await told(h, "getRootNodes sourceId='MeteringTopology' messages='true'", "", ALICE, "get", X), `<getRootNodesResponse xmlns='${X}' result='OK'><node ${attrs}><message timestamp='${T0}' type='Warning'>not heard from yet</message></node></getRootNodesResponse>`);
	assert.equal(await told(h, "getNode nodeId='weather' sourceId='MeteringTopology'", "", ALICE, "get", X), `<getNodeResponse xmlns='${X}' result='OK' ${attrs}/>`);
	assert.equal(await told(h, "getChildNodes nodeId='weather' sourceId='MeteringTopology'", "<sortOrder parameterName='x' ascending='true'/>", ALICE, "get", X), `<getChildNodesResponse xmlns='${X}' result='OK'/>`);
	const [error] = await h.ask(iq("get", ALICE, DOMAIN, `<getNode xmlns='${X}' nodeId='x' sourceId='MeteringTopology'/>`));
	const stanzas = "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'";
	assert.equal(error, `<iq type='error' to='${ALICE}' from='${DOMAIN}' id='q1'><getNodeResponse xmlns='${X}' result='NotFound'/><error type='cancel'><item-not-found ${stanzas}/><text ${stanzas}>Cannot find node &quot;x&quot;</text></error></iq>`);
	for (const [operation, result, condition] of [["getRootNodes sourceId='Other'", "NotFound", "item-not-found"], ["getRootNodes", "NotFound", "item-not-found"], ["getNode", "OtherError", "bad-request"]] as const) {
		const answer = await ask(h, "get", `<${operation} xmlns='${X}'/>`);
		assert.equal(answer.elements()[0]?.attrs["result"], result, operation);
		assert.ok(answer.child("error")?.child(condition), operation);
	}
});

/** What Bob is told of this device, without its id. */
async function masked(h: Harness, type: "get" | "set", payload: string, id: string): Promise<string> {
	return String(await ask(h, type, payload.replaceAll("ID", id), BOB)).replaceAll(id, "ID");
}

test("what somebody may not see is in no list, and no answer tells it apart from what does not exist", async () => {
	const h = bench({ devices: { ...DEVICES, secret: BOILER } });
	await h.report("weather", { temperature: "1", humidity: "77" });
	for (const operation of [`getRootNodes ${SRC} parameters='true' messages='true'`, `getAllNodes ${SRC} parameters='true'`]) {
		const list = await told(h, operation, "", BOB);
		assert.match(list, /id='weather'/);
		assert.doesNotMatch(list, /boiler|secret|77/);
	}
	for (const operation of ["getNode", "getChildNodes", "getAncestors", "getNodeInheritance", "getNodeCommands", "getCommandParameters command='set'", "containsNode"]) {
		assert.equal(await masked(h, "get", `<${operation} xmlns='${N}' id='ID'/>`, "secret"), await masked(h, "get", `<${operation} xmlns='${N}' id='ID'/>`, "nobody"), operation);
	}
	const x = await ask(h, "get", `<getRootNodes xmlns='${X}' sourceId='MeteringTopology' parameters='true'/>`, BOB);
	assert.doesNotMatch(String(x), /boiler|secret/);
	const command = `<executeNodeCommand xmlns='${N}' id='ID' command='set'><x xmlns='jabber:x:data' type='submit'/></executeNodeCommand>`;
	assert.equal(await masked(h, "set", command, "secret"), await masked(h, "set", command, "nobody"));
});

test("who may see one point of a device that can be set sees a node that he can only read, without the identity of other points", async () => {
	const h = bench({ access: [{ who: "bob@partner.example", role: "viewer", points: { boiler: ["temperature"] } }, { who: "carol@example.org", role: "viewer", points: { boiler: ["reset"] } }] });
	await h.report("boiler", { serial: "A7", temperature: "71.5" });
	const node = await told(h, "getNode id='boiler' parameters='true'", "", BOB);
	assert.match(node, / isReadable='true' isControllable='false' hasCommands='false' /);
	assert.doesNotMatch(node, /A7|serial/i);
	assert.equal(await told(h, "getNodeCommands id='boiler'", "", BOB), `<commands xmlns='${N}'/>`);
	assert.equal(await refused(h, "getCommandParameters id='boiler' command='set'", "", BOB), "not-allowed", "nothing that he sees can be set by anybody");
	assert.match(await told(h, "getNode id='boiler'", "", "carol@example.org/pc"), / isReadable='false' isControllable='false' /);
	assert.equal(await refused(h, "getCommandParameters id='boiler' command='set'", "", "carol@example.org/pc"), "forbidden");
});

test("a stranger is told nothing, by no operation of either vocabulary, as if there was no concentrator", async () => {
	const h = bench();
	for (const who of ["mallory@evil.example/x", "norma@example.org/x"]) {
		for (const [xmlns, operation] of [[N, "getCapabilities"], [N, `getRootNodes ${SRC}`], [N, "createNewNode"], [X, "getCapabilities"], [X, "subscribe"], ["urn:none", "x"]] as const) {
			const answer = await ask(h, "get", `<${operation} xmlns='${xmlns}'/>`, who);
			assert.equal(answer.children.join(""), "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", operation);
		}
		assert.ok((await ask(h, "set", `<subscribe xmlns='${N}' ${SRC} ttl='60'/>`, who)).child("error")?.child("service-unavailable"));
	}
});

test("a device's own address is no concentrator: neither by discovery nor by any operation", async () => {
	const gateway = harness((verbs) => [concentrator(verbs, { windows: new Windows(verbs), newId })]).modules[0]!;
	assert.deepEqual(Object.keys(gateway.features ?? {}), ["gateway"]);
	assert.deepEqual(gateway.features?.gateway, [...NEURO_CONCENTRATOR, X]);
	assert.ok(gateway.routes?.every(({ at, open }) => at === "gateway" && open === undefined));
	const device = bench();
	for (const [xmlns, operation] of [[N, "getCapabilities"], [N, "getNode id='boiler'"], [X, "getCapabilities"]] as const) {
		assert.ok((await ask(device, "get", `<${operation} xmlns='${xmlns}'/>`, ALICE, `boiler@${DOMAIN}/thing`)).child("error")?.child("service-unavailable"));
	}
});

test("isReadable and isControllable mean that sensor data and control at the gateway's address know the node, in both vocabularies", async () => {
	const h = bench();
	await h.report("boiler", { temperature: "71.50" });
	await h.report("weather", { temperature: "5.0" });
	for (const [id, isReadable, isControllable] of [...(await told(h, `getRootNodes ${SRC}`)).matchAll(/ id='([^']*)'.*? isReadable='(\w+)' isControllable='(\w+)'/g)].map((match) => match.slice(1))) {
		assert.equal(isReadable, "true");
		assert.match((await h.ask(iq("get", ALICE, DOMAIN, `<req xmlns='urn:nf:iot:sd:1.0' id='r-${id}' m='true'><nd id='${id}' ${SRC}/></req>`))).join(""), new RegExp(`<resp [^>]*><nd id='${id}' ${SRC}><ts .*<q n='temperature'`));
		assert.match((await h.ask(iq("get", ALICE, DOMAIN, `<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'><node nodeId='${id}' sourceId='MeteringTopology'/></req>`, `s-${id}`))).join(""), /<accepted /);
		await h.clock.advance(0);
		assert.match(h.take().join(""), new RegExp(`<node nodeId='${id}' sourceId='MeteringTopology'><timestamp .*<numeric name='temperature'`));
		const nd = await h.ask(iq("set", ALICE, DOMAIN, `<set xmlns='urn:nf:iot:ctr:1.0'><nd id='${id}' ${SRC}/><b n='burner' v='true'/></set>`, `c-${id}`));
		const node = await h.ask(iq("set", ALICE, DOMAIN, `<set xmlns='urn:xmpp:iot:control'><node nodeId='${id}' sourceId='MeteringTopology'/><boolean name='burner' value='true'/></set>`, `d-${id}`));
		assert.deepEqual([nd, node].map(([said]) => parseStanza(said!).attrs["type"] === "result"), isControllable === "true" ? [true, true] : [false, false], id);
	}
	assert.deepEqual(h.commands.map(({ device }) => device), ["boiler", "boiler"]);
});

test("10 000 nodes are refused whole in one answer, with a way to ask; 150 are told; and a list of some of them is told", async () => {
	const fleet = (count: number): Record<string, Points> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`node-${String(index).padStart(5, "0")}`, WEATHER]));
	const h = bench({ devices: fleet(10_000) });
	for (const operation of [`getAllNodes ${SRC}`, `getRootNodes ${SRC} parameters='true'`]) {
		const answer = await ask(h, "get", `<${operation} xmlns='${N}'/>`);
		assert.ok(answer.child("error")?.child("resource-constraint"), String(answer));
		assert.match(String(answer), /60000 bytes; list the devices page by page by service discovery, and ask for some of them at a time with getNodes/);
	}
	const x = await ask(h, "get", `<getRootNodes xmlns='${X}' sourceId='MeteringTopology'/>`);
	assert.equal(x.child("getRootNodesResponse")?.attrs["result"], "OtherError");
	assert.match(await told(h, "getNodes", Array.from({ length: 100 }, (_, index) => `<nd id='node-0${9_000 + index}'/>`).join("")), /node-09099/);
	assert.equal(await refused(h, "getNodes parameters='true'", Array.from({ length: 1_000 }, (_, index) => `<nd id='node-0${9_000 + index}'/>`).join("")), "resource-constraint");
	const small = await told(bench({ devices: fleet(150) }), `getAllNodes ${SRC}`);
	assert.equal([...small.matchAll(/<nodeInfo /g)].length, 150);
	assert.ok(Buffer.byteLength(small) < MAX_LIST_BYTES + 100);
});

const form = (fields: Readonly<Record<string, string>>): string => `<x xmlns='jabber:x:data' type='submit'>${Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join("")}</x>`;
const SET = "executeNodeCommand id='boiler' command='set'";

test("a node that can be set has one command, spelt as each URN's readers spell it", async () => {
	for (const [xmlns, type] of [["urn:nf:iot:concentrator:1.0", "Parametrized"], ["urn:ieee:iot:concentrator:1.0", "Parametrized"], ["urn:nfi:iot:concentrator:1.0", "Parameterized"]] as const) {
		assert.equal(await told(bench(), "getNodeCommands id='boiler'", "", OSCAR, "get", xmlns), `<commands xmlns='${xmlns}'><command command='set' name='Set values' type='${type}'/></commands>`);
	}
	assert.equal(await told(bench(), "getNodeCommands id='weather'"), `<commands xmlns='${N}'/>`);
});

test("the parameters of the command are the control form, bare", async () => {
	const h = bench();
	await h.report("boiler", { setpoint: "68.50" });
	const x = parseStanza(await told(h, "getCommandParameters id='boiler' command='set'", "", OSCAR));
	assert.equal(x.name, "x");
	assert.equal(x.attrs["type"], "form");
	const controlForm = (await ask(h, "get", "<getForm xmlns='urn:nf:iot:ctr:1.0'/>", OSCAR, `boiler@${DOMAIN}/thing`)).elements()[0]!;
	const fields = (of: Element): string => of.elements().filter(({ attrs }) => attrs["var"] !== "xdd session").join("");
	assert.equal(fields(x), fields(controlForm));
	assert.match(fields(x), / var='setpoint'.*<value>68\.50<\/value>.* var='burner'.* var='reset'/);
	for (const [operation, condition] of [["getCommandParameters id='boiler' command='off'", "item-not-found"], ["getCommandParameters id='boiler'", "item-not-found"], ["getCommandParameters id='weather' command='set'", "not-allowed"]] as const) {
		assert.equal(await refused(h, operation), condition, operation);
	}
});

test("executeNodeCommand goes the way of every command, one value after the other, and is answered when the last one has ended", async () => {
	let confirm: (outcome: Outcome) => void = () => {};
	const h = bench({ execute: () => new Promise((resolve) => (confirm = resolve)) });
	assert.deepEqual(await h.ask(iq("set", OSCAR, DOMAIN, `<${SET} xmlns='${N}'>${form({ "xdd session": "s", FORM_TYPE: "t", setpoint: "30.50", BURNER: "1" })}</executeNodeCommand>`)), []);
	assert.equal(h.commands.length, 1, "the second waits for the first");
	confirm({ kind: "sent" });
	await h.clock.advance(0);
	assert.deepEqual(h.take(), []);
	confirm({ kind: "sent" });
	await h.clock.advance(0);
	assert.deepEqual(h.take(), [`<iq type='result' to='${OSCAR}' from='${DOMAIN}' id='q1'/>`]);
	assert.deepEqual(h.commands.map(({ device, point, value, by }) => `${device}.${point}=${textOf(value)} by ${by}`), ["boiler.setpoint=30.50 by oscar@ops.example.org", "boiler.burner=true by oscar@ops.example.org"]);
});

test("a form with values that cannot be used does nothing, and comes back with the fault beside each of them", async () => {
	const h = bench();
	const answer = await ask(h, "set", `<${SET} xmlns='${N}'>${form({ setpoint: "99", burner: "perhaps", reset: "true" })}</executeNodeCommand>`, OSCAR);
	assert.deepEqual(answer.elements().map(({ name }) => name), ["x", "error"]);
	assert.ok(answer.child("error")?.child("bad-request"));
	const fields = (answer.child("x", "jabber:x:data")?.elements() ?? []).filter(({ name }) => name === "field");
	const errors = fields.map((field) => [field.attrs["var"], field.child("error", "urn:xmpp:xdata:dynamic")?.text()]);
	assert.deepEqual(errors, [["xdd session", undefined], ["setpoint", "Cannot use \"99\" for \"setpoint\": it takes 20 to 80 °C"], ["burner", "Cannot use \"perhaps\" for \"burner\": it takes on or off"], ["reset", undefined]]);
	assert.deepEqual(h.commands, []);
});

test("what cannot be executed is refused by its own condition, and nothing is sent", async () => {
	const rows: readonly (readonly [string, string, string, string])[] = [
		[OSCAR, SET, "", "bad-request"],
		[OSCAR, SET, "<x xmlns='jabber:x:data' type='cancel'/>", "bad-request"],
		[OSCAR, SET, form({ nothing: "1" }), "item-not-found"],
		[OSCAR, SET, form({ temperature: "1" }), "not-allowed"],
		[OSCAR, SET, `${form({ setpoint: "30" })}<boolean name='burner' value='1'/>`, "bad-request"],
		[OSCAR, "executeNodeCommand id='boiler' command='off'", form({}), "item-not-found"],
		[ALICE, "executeNodeCommand id='weather' command='set'", form({ temperature: "1" }), "not-allowed"],
		[BOB, "executeNodeCommand id='weather' command='set'", form({ temperature: "1" }), "not-allowed"],
		[BOB, SET, form({ setpoint: "30" }), "item-not-found"],
	];
	for (const [who, operation, content, condition] of rows) {
		const h = bench();
		assert.equal(await refused(h, operation, content, who, "set"), condition, `${operation} ${content}`);
		assert.deepEqual(h.commands, []);
	}
	const h = bench({ access: [{ who: "bob@partner.example", role: "viewer", devices: ["boiler"] }] });
	assert.equal(await refused(h, SET, form({ setpoint: "30" }), BOB, "set"), "forbidden");
	const partly = bench({ access: [{ who: "bob@partner.example", role: "operator", points: { boiler: ["burner"] } }, { who: "bob@partner.example", role: "viewer", devices: ["boiler"] }] });
	assert.equal(await refused(partly, SET, form({ burner: "1", setpoint: "30" }), BOB, "set"), "forbidden");
	assert.deepEqual(partly.commands, []);
});

test("a device that does not do it ends the command with its own condition, and says what was done before", async () => {
	let count = 0;
	const h = bench({ execute: async () => {
		if (++count > 1) throw new GatewayError("device-timeout", "Cannot confirm \"burner\": no reading said so within 10 s");
		return { kind: "sent" };
	} });
	const answer = await ask(h, "set", `<${SET} xmlns='${N}'>${form({ setpoint: "30", burner: "true" })}</executeNodeCommand>`, OSCAR);
	assert.ok(answer.child("error")?.child("remote-server-timeout"));
	assert.match(String(answer), /no reading said so within 10 s; done before: &quot;setpoint&quot;/);
});

test("a command that is delivered twice is carried out once; an empty form is success", async () => {
	const h = bench();
	const stanza = iq("set", OSCAR, DOMAIN, `<${SET} xmlns='${N}'>${form({ burner: "true" })}</executeNodeCommand>`);
	await h.hear(stanza);
	await h.hear(stanza);
	assert.equal(h.commands.length, 1);
	assert.equal(await told(h, SET, form({}), OSCAR, "set"), "");
	assert.equal(h.commands.length, 1);
});

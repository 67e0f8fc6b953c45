import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HomieDevice } from "../../../firmware-sim/homie-device.js";
import { Homie } from "../../../src/south/conventions/homie.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

/** A description of version 3 and 4, in the order in which a device makes it. */
const OVEN: readonly (readonly [string, string])[] = [
	["$homie", "4.0.0"], ["$name", "Oven"], ["$state", "init"], ["$implementation", "bakery"], ["$mac", "02:00:5E:00:53:11"], ["$fw/version", "1.10"], ["$nodes", "hot,door"],
	["hot/$name", "Hot part"], ["hot/$properties", "temp,aim,mode,lamp,note,tint"],
	["hot/temp/$name", "Core"], ["hot/temp/$datatype", "float"], ["hot/temp/$unit", "°C"],
	["hot/aim/$datatype", "integer"], ["hot/aim/$format", "50:300"], ["hot/aim/$settable", "true"],
	["hot/mode/$datatype", "enum"], ["hot/mode/$format", "grill,bake"], ["hot/mode/$settable", "true"],
	["hot/lamp/$datatype", "boolean"], ["hot/lamp/$settable", "true"],
	["hot/note/$datatype", "string"],
	["hot/tint/$datatype", "color"], ["hot/tint/$format", "rgb"], ["hot/tint/$settable", "true"],
	["door/$properties", "opened"], ["door/opened/$datatype", "boolean"], ["door/opened/$retained", "false"],
];

function hearAll(homie: Homie, base: string, all: readonly (readonly [string, string])[], retained = true): ReturnType<Homie["hear"]>[] {
	return all.map(([topic, text]) => homie.hear(message(`${base}/${topic}`, text, retained)));
}

const DESCRIPTION = {
	homie: "5.0", version: 3, name: "Vat", nodes: {
		brew: {
			properties: {
				level: { datatype: "float", unit: "L", format: "0:200:0.5", settable: true }, heat: { datatype: "integer", format: ":80", unit: "%" }, bell: { datatype: "boolean", settable: true, retained: false },
				since: { datatype: "datetime" }, left: { datatype: "duration" }, recipe: { datatype: "json", settable: true }, phase: { datatype: "enum", format: "mash,boil" }, odd: { datatype: "float", unit: "furlong" },
			},
		},
	},
};

function vat(): Homie {
	const homie = new Homie();
	homie.hear(message("homie/5/vat/$description", DESCRIPTION, true));
	homie.hear(message("homie/5/vat/$state", "ready", true));
	return homie;
}

test("a device of version 4 is announced when it is ready, and not before", () => {
	const homie = new Homie();
	assert.ok(hearAll(homie, "homie/oven", OVEN).every((meaning) => meaning?.announced === undefined && meaning?.misfits === undefined));
	const meaning = homie.hear(message("homie/oven/$state", "ready", true));
	const [announced] = meaning?.announced ?? [];
	assert.deepEqual({ ...announced, points: undefined }, { address: "oven", aliases: ["02005e005311"], name: "Oven", model: "bakery", firmware: "1.10", points: undefined });
	assert.deepEqual(statesOf(meaning), { oven: "online" });
	const { points = {} } = announced ?? {};
	assert.deepEqual(points["hot/temp"], { kind: "numeric", access: "r", label: "Core", unit: "°C" });
	assert.deepEqual(points["hot/aim"], { kind: "numeric", access: "rw", category: "status", min: 50, max: 300, integer: true });
	assert.deepEqual(points["hot/mode"], { kind: "enum", access: "rw", category: "status", labels: ["grill", "bake"] });
	assert.deepEqual(points["hot/tint"], { kind: "text", access: "rw", category: "status" });
	assert.deepEqual(points["door/opened"], { kind: "boolean", access: "r", category: "status" });
});

test("the order of attributes is free: state and values may come first", () => {
	const homie = new Homie();
	hearAll(homie, "homie/oven", [["hot/temp", "71.50"], ["$state", "ready"], ...[...OVEN].filter(([topic]) => topic !== "$state").reverse()]);
	assert.deepEqual(readings(homie.hear(message("homie/oven/hot/temp", "72.0"))), { "hot/temp": "72.0" });
	const late = new Homie();
	const meanings = hearAll(late, "homie/oven", [["hot/temp", "71.50"], ...OVEN.filter(([topic]) => topic !== "$state"), ["$state", "ready"]]);
	assert.equal(readings(meanings.at(-1))["hot/temp"], "71.50");
	assert.equal(meanings.at(-1)?.heard, undefined);
});

test("values are read by their datatype, and what does not fit is a misfit", () => {
	const homie = new Homie();
	hearAll(homie, "homie/oven", [...OVEN, ["$state", "ready"]]);
	const rows: readonly (readonly [string, string, string | boolean | undefined])[] = [
		["hot/temp", "180.40", "180.40"], ["hot/aim", "200", "200"], ["hot/lamp", "true", true], ["hot/lamp", "false", false], ["hot/mode", "grill", "grill"], ["hot/note", "12", "12"], ["hot/tint", "255,0,0", "255,0,0"], ["door/opened", "true", true],
		["hot/temp", "warm", undefined], ["hot/mode", "fry", undefined], ["hot/lamp", "perhaps", undefined],
	];
	for (const [path, text, value] of rows) {
		const meaning = homie.hear(message(`homie/oven/${path}`, text));
		assert.equal(readings(meaning)[path], value, `${path} ${text}`);
		assert.equal(reasons(meaning).length, value === undefined ? 1 : 0, `${path} ${text}`);
	}
	assert.deepEqual(homie.hear(message("homie/oven/hot/temp", "nan"))?.misfits, undefined);
	assert.deepEqual(homie.hear(message("homie/oven/hot/temp/set", "1")), {});
	assert.deepEqual(homie.hear(message("homie/oven/hot/temp", "")), {});
});

test("commands go to /set as the datatype is written, and nowhere else", () => {
	const homie = new Homie();
	hearAll(homie, "homie/oven", [...OVEN, ["$state", "ready"]]);
	assert.deepEqual(sent(homie, "oven", "hot/lamp", true), ["homie/oven/hot/lamp/set true"]);
	assert.deepEqual(sent(homie, "oven", "HOT/AIM", 210), ["homie/oven/hot/aim/set 210"]);
	assert.deepEqual(sent(homie, "oven", "hot/mode", "bake"), ["homie/oven/hot/mode/set bake"]);
	assert.throws(() => sent(homie, "oven", "hot/aim", 301), { fault: "bad-value" });
	assert.throws(() => sent(homie, "oven", "hot/temp", 1), { fault: "not-writable" });
	assert.throws(() => sent(homie, "oven", "nothing", 1), { fault: "unknown-point" });
	assert.equal(homie.command("nobody", "hot/aim", true), undefined);
});

test("each state is an availability, and init is none", () => {
	const homie = vat();
	for (const [word, state] of [["init", undefined], ["ready", "online"], ["sleeping", "asleep"], ["disconnected", "offline"], ["lost", "offline"], ["alert", "faulty"]] as const) {
		assert.equal(statesOf(homie.hear(message("homie/5/vat/$state", word)))["vat"], state, word);
	}
	assert.equal(reasons(homie.hear(message("homie/5/vat/$state", "asleep"))).length, 1);
});

test("version 5 describes itself in one JSON: ranges with open sides and steps, retained and not", () => {
	const homie = new Homie();
	assert.equal(homie.hear(message("homie/5/vat/$description", DESCRIPTION, true))?.announced, undefined);
	const meaning = homie.hear(message("homie/5/vat/$state", "ready", true));
	assert.deepEqual(meaning?.announced?.[0]?.points, {
		"brew/level": { kind: "numeric", access: "rw", category: "status", unit: "L", min: 0, max: 200, step: 0.5 },
		"brew/heat": { kind: "numeric", access: "r", unit: "%", max: 80, integer: true },
		"brew/bell": { kind: "boolean", access: "rw", confirm: "none", category: "status" },
		"brew/since": { kind: "text", access: "r", category: "status" }, "brew/left": { kind: "text", access: "r", category: "status" },
		"brew/recipe": { kind: "text", access: "rw", category: "status", maxLength: 4096 }, "brew/phase": { kind: "enum", access: "r", category: "status", labels: ["mash", "boil"] },
		"brew/odd": { kind: "numeric", access: "r" },
	});
	assert.deepEqual(sent(homie, "vat", "brew/level", 12.5), ["homie/5/vat/brew/level/set 12.5"]);
	assert.deepEqual(sent(homie, "vat", "brew/recipe", ""), ["homie/5/vat/brew/recipe/set \0"]);
	assert.deepEqual(readings(homie.hear(message("homie/5/vat/brew/recipe", "\0"))), { "brew/recipe": "" });
	assert.deepEqual(readings(homie.hear(message("homie/5/vat/brew/level/$target", "40"))), { "brew/level/$target": "40" });
});

test("an alert of version 5 makes the device faulty until it is taken back", () => {
	const homie = vat();
	const meaning = homie.hear(message("homie/5/vat/$alert/lid", "The lid is open", true));
	assert.deepEqual([statesOf(meaning), readings(meaning), meaning?.states?.[0]?.reason], [{ vat: "faulty" }, { "$alert/lid": "The lid is open" }, "The lid is open"]);
	assert.deepEqual(statesOf(homie.hear(message("homie/5/vat/$alert/lid", ""))), { vat: "online" });
});

test("children are away with their root, and come back with it", () => {
	const homie = vat();
	homie.hear(message("homie/5/tap/$description", { ...DESCRIPTION, root: "vat", parent: "vat" }, true));
	homie.hear(message("homie/5/tap/$state", "ready", true));
	assert.deepEqual(statesOf(homie.hear(message("homie/5/vat/$state", "lost"))), { vat: "offline", tap: "offline" });
	assert.deepEqual(statesOf(homie.hear(message("homie/5/vat/$state", "ready"))), { vat: "online", tap: "online" });
});

test("a description that changes is announced once, when the device is ready again, without what it no longer has", () => {
	const homie = vat();
	homie.hear(message("homie/5/vat/$state", "init"));
	const changed = { ...DESCRIPTION, nodes: { brew: { properties: { level: DESCRIPTION.nodes.brew.properties.level } } } };
	assert.equal(homie.hear(message("homie/5/vat/$description", changed))?.announced, undefined);
	assert.deepEqual(Object.keys(homie.hear(message("homie/5/vat/$state", "ready"))?.announced?.[0]?.points ?? {}), ["brew/level"]);
	assert.equal(homie.hear(message("homie/5/vat/$state", "ready"))?.announced, undefined);
	assert.equal(homie.hear(message("homie/5/vat/$description", changed))?.announced, undefined);
});

test("a device whose state, version or description is emptied is gone", () => {
	for (const topic of ["$state", "$description", "$homie"]) {
		const homie = vat();
		assert.deepEqual(homie.hear(message(`homie/5/vat/${topic}`, ""))?.gone, ["vat"], topic);
		assert.equal(homie.command("vat", "brew/level", true), undefined);
	}
});

test("a node array of version 3 is as many nodes as its range says", () => {
	const homie = new Homie();
	hearAll(homie, "homie/strip", [["$homie", "3.0.1"], ["$nodes", "lights[]"], ["lights/$array", "0-2"], ["lights/$properties", "on"], ["lights/on/$datatype", "boolean"], ["lights/on/$settable", "true"]]);
	const meaning = homie.hear(message("homie/strip/$state", "ready"));
	assert.deepEqual(Object.keys(meaning?.announced?.[0]?.points ?? {}), ["lights_0/on", "lights_1/on", "lights_2/on"]);
	assert.deepEqual(sent(homie, "strip", "lights_2/on", true), ["homie/strip/lights_2/on/set true"]);
});

test("units come through wrong encodings, and unknown ones are said", () => {
	for (const [unit, expected] of [["Â°C", "°C"], ["&deg;F", "°F"], ["�C", "°C"], ["#", undefined], ["%", "%"]] as const) {
		const homie = new Homie();
		const meanings = hearAll(homie, "homie/x", [["$nodes", "n"], ["n/$properties", "p"], ["n/p/$datatype", "float"], ["n/p/$unit", unit], ["$state", "ready"]]);
		const point = meanings.at(-1)?.announced?.[0]?.points["n/p"];
		assert.equal(point?.kind === "numeric" ? point.unit : "none", expected, unit);
	}
	assert.deepEqual(reasons(new Homie().hear(message("homie/x/n/p/$unit", "furlong"))), ['Cannot use the unit "furlong" of "n/p"']);
});

test("other domains are found by what only Homie says, and their devices carry the domain", () => {
	const homie = new Homie();
	assert.equal(homie.hear(message("plant/5/vat/brew/level", "1")), undefined);
	assert.equal(homie.hear(message("plant/5/vat/$description", DESCRIPTION, true))?.filters, true);
	assert.ok(homie.filters().includes("plant/#"));
	assert.deepEqual(statesOf(homie.hear(message("plant/5/vat/$state", "ready", true))), { "plant/vat": "online" });
	assert.deepEqual(toldBy(homie.hear(message("plant/5/vat/brew/level", "1"))), { "plant/vat brew/level": "1" });
	assert.deepEqual(sent(homie, "plant/vat", "brew/level", 2), ["plant/5/vat/brew/level/set 2"]);
});

test("broadcasts, undescribed values and stray topics make nothing", () => {
	const homie = new Homie();
	for (const topic of ["homie/$broadcast/alert", "homie/5/$broadcast/alert", "homie/ghost/a/b", "homie/5/ghost/a/b", "homie/5", "homie/x"]) assert.deepEqual(homie.hear(message(topic, "1", true)), {}, topic);
	assert.equal(homie.hear(message("other/a/b", "1")), undefined);
});

test("guess: a value alone makes a device, with a unit where its name says one", () => {
	const meaning = new Homie({ guess: true }).hear(message("homie/5/meter/grid/active-power", "-12.5"));
	assert.deepEqual([toldBy(meaning), meaning?.announced?.[0]?.points], [{ "meter grid/active-power": "-12.5" }, { "grid/active-power": { kind: "numeric", access: "r", unit: "W" } }]);
});

test("hear() throws for nothing, whatever the bytes", () => {
	const chance = new Chance(11);
	const seeds = [...OVEN.map(([topic, text]) => [`homie/oven/${topic}`, text] as const), ["homie/oven/$state", "ready"] as const, ["homie/oven/hot/temp", "1.5"] as const, ["homie/5/vat/$description", JSON.stringify(DESCRIPTION)] as const, ["homie/5/vat/$state", "ready"] as const];
	const homie = new Homie();
	for (let run = 0; run < RUNS; run++) {
		const [topic, text] = chance.pick(seeds);
		const noisy = chance.int(4) === 0 ? Buffer.from(mutate(chance, Buffer.from(topic))).toString("latin1") : topic;
		homie.hear({ kind: "message", topic: noisy, payload: chance.int(3) === 0 ? mutate(chance, Buffer.from(text)) : Buffer.from(text), retained: chance.int(2) === 0 });
	}
});

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
after(() => broker.stop());

for (const version of [4, 5] as const) {
	test(`a simulated device of version ${version} is announced, read, commanded until confirmed, and missed`, async () => {
		const heater = new HomieDevice({ url: broker.url, id: `heater-${version}`, version, delay: 1 });
		await heater.start();
		const site = await Listener.start(broker.url, new Homie());
		try {
			const { id } = heater;
			await until("its state", () => site.twins.get(id)?.availability === "online" && site.value(id, "climate/temperature") !== undefined);
			assert.equal(site.twins.get(id)?.device.name, "Hall heater");
			assert.equal((await site.set(id, "heating/power", true))?.value, true);
			assert.equal(site.value(id, "heating/setpoint"), "20.0");
			await site.set(id, "heating/setpoint", 22.5);
			await site.set(id, "heating/mode", "boost");
			assert.deepEqual([heater.values["heating/power"], heater.values["heating/setpoint"], heater.values["heating/mode"]], ["true", "22.5", "boost"]);
			assert.deepEqual([heater.heard.refused, site.misfits], [0, []]);
			await heater.crash();
			await until("the will", () => site.twins.get(id)?.availability === "offline");
		} finally {
			await site.stop();
			await heater.crash();
		}
	});
}

test("a description that is said again, as a broker does with each new session, is not made anew with each attribute", () => {
	const properties = Array.from({ length: 400 }, (_, at) => `p${at}`);
	const attributes: (readonly [string, string])[] = [["n/$properties", properties.join(",")], ...properties.flatMap((property) => [[`n/${property}/$datatype`, "float"], [`n/${property}/$unit`, "°C"]] as const)];
	const homie = new Homie();
	hearAll(homie, "homie/big", [["$homie", "4.0.0"], ["$state", "init"], ["$nodes", "n"], ...attributes, ["$state", "ready"]]);
	const began = performance.now();
	assert.ok(hearAll(homie, "homie/big", attributes).every((meaning) => meaning?.announced === undefined));
	const took = performance.now() - began;
	assert.ok(took < 500, `${took} ms`); // 3 s where each attribute makes all points again
	assert.equal(homie.hear(message("homie/big/n/p0/$unit", "°F"))?.announced?.[0]?.points["n/p0"]?.kind, "numeric");
});

test("a child follows its root, the one that its last description names", () => {
	const homie = new Homie();
	const describe = (id: string, root?: string): void => void homie.hear(message(`homie/5/${id}/$description`, { homie: "5.0", version: 1, nodes: {}, ...(root !== undefined && { root, parent: root }) }));
	for (const id of ["a", "b", "child"]) homie.hear(message(`homie/5/${id}/$state`, "ready"));
	for (const [id, root] of [["a"], ["b"], ["child", "a"], ["child", "b"]] as const) describe(id, root);
	assert.deepEqual(statesOf(homie.hear(message("homie/5/a/$state", "lost"))), { a: "offline" });
	assert.deepEqual(statesOf(homie.hear(message("homie/5/b/$state", "lost"))), { b: "offline", child: "offline" });
	homie.hear(message("homie/5/child/$state", ""));
	assert.deepEqual(statesOf(homie.hear(message("homie/5/b/$state", "ready"))), { b: "online" });
});

// What comes in is wrong: it is named and counted, and nothing ends but what must.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../firmware-sim/clock.js";
import { AirSensor } from "../../firmware-sim/air-sensor.js";
import { attach, plugIn, Wire } from "../../firmware-sim/wire.js";
import { jidway } from "./gateway-process.js";
import { accepts, freePort, makeFolder, removeFolder, waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import { type Pty, startPty } from "./servers/pty.js";
import { barrier, DOMAIN, introduce, missing, mqttLink, ROMEO, type Site, startSite, state, unexpected } from "./site.js";
import { find, findAll, login, type User } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}`;
const THING = `${DEVICE}/thing`;

interface Fault {
	readonly where: string;
	readonly reason: string;
	readonly sample: string;
	readonly count: number;
}

describe("a wrong config file", () => {
	test("ends \"run\" and \"check\" with exit code 2 before anything is opened, each fault with file:line:column, what, and how to mend it", async () => {
		const folder = makeFolder("config");
		try {
			const [webPort, brokerPort] = [await freePort(), await freePort()];
			const file = join(folder, "jidway.yaml");
			writeFileSync(file, `gateway:
  data: data
uplink:
  kind: component
  domain: things.localhost
  port: 70000
  secret: qzx-in-the-config
acess: []
links:
  - id: own
    kind: mqtt
    broker: { listen: "127.0.0.1:${brokerPort}" }
    topcs: []
web: { listen: "127.0.0.1:${webPort}" }
`);
			for (const command of ["run", "check"]) {
				const listening: boolean[] = [];
				const watch = setInterval(() => void Promise.all([accepts(webPort), accepts(brokerPort)]).then((found) => void listening.push(...found)), 20);
				const { code, stdout, stderr } = await jidway([command, "-c", "jidway.yaml"], folder).finally(() => clearInterval(watch));
				assert.equal(code, 2, stdout + stderr);
				const lines = stderr.trimEnd().split("\n");
				assert.equal(lines.length, 3, stderr);
				assert.match(lines[0] ?? "", /^jidway\.yaml:6:\d+: uplink\.port: /);
				assert.match(lines[1] ?? "", /^jidway\.yaml:8:1: acess: .*did you mean "access"\?/);
				assert.match(lines[2] ?? "", /^jidway\.yaml:13:5: links\[0\]\.topcs: .*did you mean "topics"\?/);
				assert.equal(existsSync(join(folder, "data")), false);
				assert.ok(!listening.includes(true));
				assert.doesNotMatch(stdout + stderr, /qzx-/);
			}
		} finally {
			removeFolder(folder);
		}
	});
});

describe("bad input", { skip: missing("prosody", "mosquitto", "socat") }, () => {
	const sensor = new AirSensor({ clock: systemClock });
	let pty: Pty;
	let site: Site;
	let romeo: User;
	before(async () => {
		pty = await startPty();
		const wire = new Wire({ clock: systemClock });
		plugIn(sensor, wire);
		attach(wire, pty.peer);
		// More than the gateway takes must come through.
		site = await startSite((options) => startProsody({ ...options, extra: "c2s_stanza_size_limit = 1048576\ncomponent_stanza_size_limit = 1048576" }), {
			links: (url) => [mqttLink(url), { id: "air", kind: "serial", path: pty.path, baud: 115200, protocol: "lines" }],
			devices: [{ id: "air", link: "air", definition: "jidway-air-sensor" }],
			more: { limits: { stanza: "256kB" } },
		});
		sensor.powerOn();
		await introduce(site, "room-1", state("21.50"));
		romeo = await login(site.server, ROMEO);
		await romeo.available();
		await romeo.subscribe(DEVICE);
	});
	after(async () => {
		sensor.powerOff();
		await site?.end();
		await pty?.stop();
	});

	async function faults(): Promise<Fault[]> {
		const { code, stdout, stderr } = await site.gateway.cli("status", "--json");
		assert.equal(code, 0, stderr);
		return (JSON.parse(stdout) as { faults: Fault[] }).faults;
	}
	async function ask(line: string, device = DEVICE): Promise<string> {
		romeo.say(device, line);
		return find(await romeo.hear(device), "body")?.text ?? "";
	}

	test("a malformed payload a thousand times is one counted line in the log, and in \"status\" with a sample; the good ones between are taken", async () => {
		const since = site.gateway.logs.length;
		for (let count = 0; count < 1_000; count++) void site.device.say("sensors/room-1/state", "{\"temp\":");
		await site.device.say("sensors/room-1/state", state("21.60"));
		await waitUntil("the good value", async () => /21\.60 °C/.test(await ask("read temperature")), { withinMs: 15_000 });
		const told = site.gateway.logs.slice(since).filter(({ level }) => level !== "info" && level !== "debug");
		assert.equal(told.length, 1, JSON.stringify(told));
		assert.equal(told[0]?.["sample"], "{\"temp\":");
		const found = (await faults()).filter(({ where }) => where === "farm: room-1");
		assert.deepEqual(found.map(({ count, sample }) => [count, sample]), [[1_000, "{\"temp\":"]]);
	});

	test("a payload that does not fit is a counted fault with a short sample, whatever is wrong with it, and what fits is taken", async () => {
		const countOf = (found: readonly Fault[]): number => found.filter(({ where }) => where === "farm: room-1").reduce((sum, { count }) => sum + count, 0);
		const bad: (string | Buffer)[] = [
			"{\"temp\":\"warm\",\"setpoint\":20.5,\"relay\":false}",
			"{\"temp\":1e99999,\"setpoint\":20.5,\"relay\":false}",
			"{\"temp\":{},\"setpoint\":20.5,\"relay\":false}",
			"{\"temp\":21.60,\"setpoint\":20.5,\"relay\":\"perhaps\"}",
			Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
			`{"temp":${"[".repeat(5_000)}`,
			`{"temp":21.60,"note":"${"x".repeat(300_000)}"}`,
			"neither JSON nor a value",
		];
		const before = countOf(await faults());
		for (const payload of bad) await site.device.say("sensors/room-1/state", payload);
		// Another device's message behind them: they have been read when that has.
		await site.device.say("sensors/room-2/state", state("5.0"));
		await site.gateway.log(/^Found "room-2"/);
		const found = await faults();
		assert.equal(countOf(found), before + bad.length, JSON.stringify(found.map(({ reason, sample, count }) => [count, reason, sample])));
		for (const { sample, reason } of found) assert.ok(sample.length <= 120 && reason.length < 300, reason);
		assert.match(await ask("read setpoint"), /20\.5 °C/);
		assert.match(await ask("read temperature"), /21\.60 °C/);
	});

	test("garbage on a serial line is counted, and the good lines between are taken", async () => {
		await waitUntil("the air sensor", async () => JSON.parse((await site.gateway.cli("read", "air", "co2", "--json")).stdout)[0]?.value !== null, { withinMs: 15_000 });
		const garbage = Buffer.alloc(4_096, Buffer.from([0xff, 0x00, 0xc3, 0x28, 0x0a, 0x80, 0x41]));
		pty.peer.write(garbage);
		pty.peer.write(Buffer.alloc(70_000, 0x41)); // a line without an end
		pty.peer.write("\r\n");
		sensor.air.co2 = 1_234;
		await waitUntil("a value after the garbage", async () => Number(JSON.parse((await site.gateway.cli("read", "air", "co2", "--json")).stdout)[0].value) > 1_000, { withinMs: 15_000 });
		const found = (await faults()).filter(({ where }) => where.startsWith("air"));
		assert.ok(found.reduce((sum, { count }) => sum + count, 0) > 100, JSON.stringify(found));
		assert.ok(found.length <= 10, JSON.stringify(found));
		assert.equal(site.gateway.logs.filter(({ msg }) => msg.includes("\"air")).filter(({ level }) => level === "warn").length, found.length);
	});

	test("a stanza above the limit closes the stream and opens it anew: the gateway is online again, with presence, and says why", async () => {
		await barrier(romeo);
		while (romeo.unread.some(({ name }) => name === "presence")) await romeo.next("old presence", ({ name }) => name === "presence");
		const since = site.gateway.logs.length;
		romeo.say(DEVICE, "x".repeat(300_000));
		const { msg } = await site.gateway.log(/^Uplink is offline/, 15_000, since);
		assert.match(msg, /stanza.*bytes/);
		await site.gateway.log(/^Uplink is online/, 30_000, since);
		await romeo.presence(THING, /°C/);
		assert.match(await ask("read temperature"), /°C/);
	});

	test("a large stanza below the limit, and stanzas that no client should send, are answered or passed over", async () => {
		const long = romeo.say(DEVICE, "y".repeat(20_000));
		const refused = await romeo.next("a refusal", ({ name, attrs }) => name === "message" && attrs["id"] === long && attrs["type"] === "error");
		assert.ok(find(refused, "policy-violation"), refused.raw);
		const odd = [
			`<iq type='get' id='none' to='${THING}'/>`,
			`<iq type='get' id='two' to='${THING}'><a xmlns='x'/><b xmlns='x'/></iq>`,
		];
		for (const stanza of odd) {
			romeo.send(stanza);
			const id = /id='(\w+)'/.exec(stanza)?.[1];
			assert.equal((await romeo.next("an answer", ({ attrs }) => attrs["id"] === id)).attrs["type"], "error");
		}
		romeo.send(`<message to='${THING}' type='error' id='e'><body>set relay on</body></message><presence to='${THING}' type='error'/><iq type='result' id='watchdog-1' to='${DOMAIN}'/>`);
		romeo.send(`<message to='${THING}' type='chat' id='d'><body>set relay on</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/></message>`);
		romeo.send(`<message to='${THING}' type='chat' id='c'><body>set relay on</body><replace xmlns='urn:xmpp:message-correct:0' id='d'/></message>`);
		romeo.send(`<message to='${THING}' id='m'><set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set></message>`);
		await romeo.hear(THING, /delayed/);
		await romeo.hear(THING, /[Cc]orrection/);
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo).filter(({ name }) => name === "message").map(({ raw }) => raw), []);
		assert.deepEqual(site.device.heard, []);
	});

	test("no text of a device or a person can break the stream: what XML cannot carry is left out, everything else arrives", async () => {
		const since = site.gateway.logs.length;
		// In JSON, U+0001, a lone surrogate and a noncharacter; then what XML must escape.
		await site.device.say("sensors/room-1/state", "{\"temp\":21.60,\"setpoint\":20.5,\"relay\":false,\"note\":\"a\\u0001b\\ud800c\\uffffd ]]> <x y='z'>&amp; \\\"ü😀\\\"\"}");
		await waitUntil("the note", async () => (await ask("read secret_note")).includes("]]> <x y='z'>&amp; \"ü😀\""), { withinMs: 5_000 });
		assert.match(await ask("read secret_note"), /^secret_note: a.?b.?c.?d \]\]>/u);
		const accepted = await romeo.ask("get", THING, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='9' momentary='true'/>");
		assert.equal(accepted.attrs["type"], "result", accepted.raw);
		const fields = await romeo.next("the fields", (stanza) => find(stanza, "fields") !== undefined);
		assert.match(find(fields, "string")?.attrs["value"] ?? "", /\]\]> <x y='z'>&amp; "ü😀"$/);

		// Long enough to come in many pieces; what is repeated of it is cut between characters.
		const answer = await ask(`a${"😀".repeat(4_000)}`);
		assert.match(answer, /^I do not understand "a(😀)+…?"/u);

		const odd = "Küche & <Bad> @1 's";
		await site.device.say(`sensors/${odd}/state`, state("23.0"));
		await site.gateway.log(/^Found "Küche/);
		const items = await romeo.ask("get", DOMAIN, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
		const item = findAll(items, "item").find(({ attrs }) => attrs["name"]?.toLowerCase() === odd.toLowerCase()) ?? assert.fail(items.raw);
		const jid = item.attrs["jid"] ?? "";
		assert.equal(jid, `küche\\20\\26\\20\\3cbad\\3e\\20\\401\\20\\27s@${DOMAIN}`); // XEP-0106
		assert.match(find(await romeo.subscribe(jid), "status")?.text ?? "", /23\.0 °C/);
		const set = romeo.ask("set", `${jid}/thing`, "<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='21'/></set>");
		assert.equal(await site.device.next(), `sensors/${odd}/set {"setpoint":21}`);
		await site.device.say(`sensors/${odd}/state`, state("23.0", "21.0"));
		assert.equal((await set).attrs["type"], "result");
		assert.deepEqual(site.gateway.logs.slice(since).filter(({ msg }) => msg.startsWith("Uplink")), []);
	});

	test("garbage at the health port is answered with an error, and costs nothing", async () => {
		const socket = connect({ host: "127.0.0.1", port: site.gateway.webPort });
		let answer = "";
		socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
		socket.on("error", () => undefined);
		socket.write(Buffer.alloc(20_000, 0xfe));
		await waitUntil("the end of the connection", () => socket.closed, { withinMs: 10_000 });
		assert.match(answer, /^HTTP\/1\.1 4\d\d |^$/);
		assert.equal((await site.gateway.health()).code, 200);
	});
});

// Everything that the gateway hangs on goes away and comes back. Nobody touches the gateway.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { systemClock } from "../../firmware-sim/clock.js";
import { ModbusBus } from "../../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../../firmware-sim/relay-board.js";
import { ThProbe } from "../../firmware-sim/th-probe.js";
import { attach, plugIn, Wire } from "../../firmware-sim/wire.js";
import { startProsody } from "./servers/prosody.js";
import { type Pty, startPty } from "./servers/pty.js";
import { accepts, waitUntil } from "./servers/processes.js";
import { barrier, DOMAIN, introduce, missing, mqttLink, ROMEO, type Site, startSite, state, unexpected } from "./site.js";
import { find, login, type User } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}`;
const THING = `${DEVICE}/thing`;
const PROBE = `probe@${DOMAIN}/thing`;
const SET_RELAY = "<set xmlns='urn:xmpp:iot:control'><boolean name='relay1' value='true'/></set>";

describe("restarts", { skip: missing("prosody", "mosquitto", "socat") }, () => {
	const probe = new ThProbe({ address: 1 });
	const relays = new RelayBoard({ address: 2, clock: systemClock });
	let pty: Pty;
	let site: Site;
	let romeo: User;
	before(async () => {
		pty = await startPty();
		const wire = new Wire({ clock: systemClock });
		plugIn(new ModbusBus({ clock: systemClock, units: [probe, relays] }), wire);
		attach(wire, pty.peer);
		site = await startSite(startProsody, {
			links: (url) => [mqttLink(url), { id: "bus0", kind: "serial", path: pty.path, baud: 9600, protocol: "modbus-rtu" }],
			devices: [
				{ id: "probe", link: "bus0", address: 1, definition: "xy-md02", every: "1s" },
				{ id: "board", link: "bus0", address: 2, definition: "waveshare-modbus-rtu-relay-8ch", every: "1s" },
			],
		});
		await introduce(site, "room-1", state("21.50"));
		romeo = await arrive();
		await romeo.subscribe(DEVICE);
		await romeo.subscribe(`probe@${DOMAIN}`);
	});
	after(async () => {
		await site?.end();
		await pty?.stop();
	});

	// A test that failed leaves the next ones a whole site.
	afterEach(async () => {
		site.server.thaw();
		site.broker.thaw();
		await pty.replug();
		if (!(await accepts(site.broker.port))) await site.broker.restart();
		if (!(await accepts(site.server.c2sPort))) {
			await site.server.restart();
			romeo = await arrive();
		}
	});

	async function arrive(): Promise<User> {
		const user = await login(site.server, ROMEO);
		await user.available();
		return user;
	}

	/** The last value, asked by chat: presence tells values once a minute. */
	async function temperature(): Promise<string> {
		romeo.say(DEVICE, "read temperature");
		return find(await romeo.hear(DEVICE), "body")?.text ?? "";
	}

	/** The device reports this, again and again as devices do, until it is known: a broker without memory has lost what came before the gateway's subscription. */
	async function reported(temp: string): Promise<void> {
		await waitUntil(`${temp} °C`, async () => {
			await site.device.say("sensors/room-1/state", state(temp, "22.0"));
			return (await temperature()).includes(`${temp} °C`);
		}, { withinMs: 10_000 });
	}

	test("an adapter that is pulled out makes its devices unavailable, with the reason; put back, they are there again and obey", async () => {
		if (find(await presenceOf("probe"), "status")?.text.includes("21.5 °C") !== true) await romeo.presence(PROBE, /21\.5 °C/);
		await pty.unplug();
		const gone = await romeo.presence(PROBE, /unavailable/, 20_000);
		assert.match(find(gone, "status")?.text ?? "", /bus0/);
		const health = await site.gateway.health();
		assert.equal(health.code, 503);
		assert.match(health.text, /link "bus0": .*ttyUSB0/);
		assert.doesNotMatch(health.text, /uplink|farm/);
		const refused = await romeo.ask("set", `board@${DOMAIN}/thing`, SET_RELAY);
		assert.ok(find(refused, "recipient-unavailable"), refused.raw);
		assert.equal(relays.state[0], false);
		// Whatever else is there goes on.
		await reported("22.00");

		probe.air.temperature = 23.4;
		await pty.replug();
		assert.match(find(await romeo.presence(PROBE, /^(?!.*unavailable)/, 20_000), "status")?.text ?? "", /°C/);
		await site.gateway.ready();
		const done = await romeo.ask("set", `board@${DOMAIN}/thing`, SET_RELAY, 15_000);
		assert.equal(done.attrs["type"], "result", done.raw);
		assert.equal(relays.state[0], true);
		romeo.say(`probe@${DOMAIN}`, "read temperature");
		assert.match(find(await romeo.hear(`probe@${DOMAIN}`), "body")?.text ?? "", /23\.4 °C/);
	});

	/** Asked by a probe that the server sends at login: here by a repeated subscription, which is answered with the presence. */
	async function presenceOf(id: string): ReturnType<User["presence"]> {
		romeo.send(`<presence type='subscribe' to='${id}@${DOMAIN}'/>`);
		return romeo.presence(`${id}@${DOMAIN}/thing`);
	}

	// Before the next test: the pauses between attempts grow with each failure, and a presence is kept for 5 s.
	test("a broker that restarts at once costs nobody his presence", async () => {
		const since = site.gateway.logs.length;
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo).filter(({ attrs }) => attrs["type"] === "unavailable"), []);
		await site.broker.restart();
		await site.gateway.log(/Link "farm" is up/, 30_000, since);
		const said = site.gateway.logs.slice(since).map(({ msg }) => msg);
		assert.ok(said.some((msg) => /Link "farm" is down/.test(msg)), said.join("\n"));
		await reported("22.25");
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo).filter(({ attrs: { from, type } }) => from === THING && type === "unavailable"), []);
	});

	test("a broker that dies makes its devices unavailable, with the reason; when it is back so are they", async () => {
		await site.broker.kill();
		const gone = await romeo.presence(THING, /unavailable/, 20_000);
		assert.match(find(gone, "status")?.text ?? "", /farm/);
		const health = await site.gateway.health();
		assert.equal(health.code, 503);
		assert.match(health.text, /link "farm": .*mqtt:\/\/127\.0\.0\.1/);
		const refused = await romeo.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='21'/></set>");
		assert.ok(find(refused, "recipient-unavailable"), refused.raw);

		await site.broker.restart();
		await site.gateway.ready(60_000);
		await romeo.presence(THING, /^(?!.*unavailable)/);
		await reported("22.50");
		// The way back works too, and what was refused is not done now.
		const set = romeo.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='23'/></set>");
		assert.equal(await site.device.next(), "sensors/room-1/set {\"setpoint\":23}");
		await site.device.say("sensors/room-1/state", state("22.50", "23.0"));
		assert.equal((await set).attrs["type"], "result");
	});

	test("an XMPP server that dies and is started again has every presence right again, by itself", async () => {
		await site.server.kill();
		const { msg } = await site.gateway.log(/^Uplink is offline/);
		assert.match(msg, /XMPP server "127\.0\.0\.1:\d+"/);
		const health = await site.gateway.health();
		assert.equal(health.code, 503);
		assert.match(health.text, /^uplink: /);
		// Nobody hears it now; it must not be lost.
		await site.device.say("sensors/room-1/state", state("23.25", "22.0"));
		await site.server.restart();
		romeo = await arrive();
		await site.gateway.ready(60_000);
		await romeo.presence(THING, /23\.25 °C/);
		await romeo.presence(PROBE, /23\.4 °C/);
		assert.match(await temperature(), /23\.25 °C/);
	});

	test("SIGTERM ends the gateway in time though server and broker hang; it starts though nothing is there, and is whole when all is back", async () => {
		site.server.freeze();
		site.broker.freeze();
		await site.gateway.stop(); // in 5 s, with exit code 0
		await Promise.all([site.server.kill(), site.broker.kill(), pty.unplug()]);

		const since = site.gateway.logs.length;
		await site.gateway.start();
		for (const pattern of [/^Uplink is not online: Cannot reach/, /Link "farm" is down/, /Link "bus0" is down/]) await site.gateway.log(pattern, 20_000, since);
		const { code, text } = await site.gateway.health();
		assert.equal(code, 503);
		assert.deepEqual(text.trimEnd().split("\n").map((line) => /^(uplink|link "\w+"): Cannot/.exec(line)?.[1]), ["uplink", "link \"farm\"", "link \"bus0\""]);
		const rows = JSON.parse((await site.gateway.cli("devices", "--json")).stdout) as { id: string; availability: string; reason: string }[];
		assert.deepEqual(rows.map(({ id, availability }) => `${id} ${availability}`), ["board unknown", "probe unknown", "room-1 unknown"]);

		await Promise.all([site.server.restart(), site.broker.restart(), pty.replug()]);
		await site.gateway.ready(60_000);
		romeo = await arrive();
		await romeo.presence(PROBE, /23\.4 °C/);
		await reported("23.50");
		await romeo.presence(THING, /23\.50 °C/);
	});

	test("an XMPP server that hangs without closing anything is noticed, and left for a new connection", { skip: process.env["LONG"] === "1" ? false : "takes 3 minutes: LONG=1", timeout: 400_000 }, async () => {
		const since = site.gateway.logs.length;
		await barrier(romeo);
		site.server.freeze();
		// A ping a minute, two deadlines of half a minute.
		await site.gateway.log(/^Uplink is offline.*two pings/, 150_000, since);
		assert.equal((await site.gateway.health()).code, 503);
		await site.device.say("sensors/room-1/state", state("23.75", "22.0"));
		site.server.thaw();
		await site.gateway.ready(120_000);
		await romeo.presence(THING, /23\.75 °C/, 20_000);
	});
});

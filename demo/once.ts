// `npm run demo -- --once`: a conversation with every device, by a real XMPP client through a real server, that checks every answer.
// Above 300 lines: it is one script, in the order in which it is played.

import { setTimeout as sleep } from "node:timers/promises";
import { type DeviceId, devices, jidOf, things } from "./config.js";
import type { House } from "./house.js";
import { startStage, type Stage } from "./stage.js";
import { child, descendants, type Stanza, textOf } from "./stanza.js";
import { Transcript } from "./transcript.js";
import { explain, XmppClient } from "./xmpp-client.js";

/** Nothing in the conversation takes half of this; whatever hangs is a fault. */
const ALL_WITHIN_MS = 180_000;
/** How long a silence is listened to: an answer comes in some ten milliseconds. */
const SILENCE_MS = 1_500;
const SENSOR_DATA = "urn:xmpp:iot:sensordata";
const CONTROL = "urn:xmpp:iot:control";

/** Plays it, in `folder`. @returns the exit code */
export async function playOnce(folder: string, signal: AbortSignal): Promise<number> {
	const transcript = new Transcript();
	transcript.title("Starting, on 127.0.0.1 alone");
	const stage = await startStage(folder, (line) => transcript.note(line), signal);
	const ending = new AbortController();
	const givenUp = new Promise<string>((resolve) => {
		signal.addEventListener("abort", () => resolve("it was stopped"), { once: true });
		ending.signal.addEventListener("abort", () => resolve("it has ended"), { once: true });
		void sleep(ALL_WITHIN_MS, undefined, { signal: ending.signal, ref: false }).then(() => resolve(`${ALL_WITHIN_MS / 1_000} s have passed`), () => undefined);
	});
	try {
		const played = new Conversation(stage, transcript).play();
		const broken = await Promise.race([played, givenUp, stage.broken]);
		if (broken !== undefined) transcript.fault(`Cannot go on with the conversation: ${broken}`);
	} catch (error) {
		transcript.fault(error instanceof Error ? error.message : String(error));
	} finally {
		ending.abort();
		if (transcript.faults > 0) transcript.note(`The gateway's last lines:\n${stage.gatewayLog()}`);
		await stage.stop();
	}
	return transcript.end();
}

/** What the operator, and a stranger, do and see. */
class Conversation {
	readonly #stage: Stage;
	readonly #transcript: Transcript;
	#operator!: XmppClient;

	constructor(stage: Stage, transcript: Transcript) {
		this.#stage = stage;
		this.#transcript = transcript;
	}

	async play(): Promise<undefined> {
		this.#operator = await XmppClient.login(this.#stage.operator);
		this.#operator.onStanza = (stanza) => this.#show(stanza);
		try {
			await this.#presence();
			await this.#talk();
			const pictureOfThermostat = await this.#commands();
			await this.#mistakes();
			await this.#programs();
			await this.#strangers();
			await this.#losses();
			await this.#transcript.check("the new setpoint has reached the thermostat's presence", pictureOfThermostat);
			await this.#end();
		} finally {
			await this.#operator.close();
		}
		return undefined;
	}

	// ---- The parts of the conversation ----

	async #presence(): Promise<void> {
		this.#title("Presence: the operator logs in");
		const since = this.#operator.mark;
		this.#operator.send("<presence/>");
		for (const { id, name } of devices) {
			await this.#check(`${name} is there, and its presence tells its last values`, async () => {
				await this.#operator.until(`the presence of ${id} with a value`, (stanza) => isPresenceOf(id, stanza) && stanza.attrs["type"] === undefined && /\d|\bo(n|ff)\b/.test(statusIn(stanza)), { since, withinMs: 20_000 });
			});
		}
	}

	async #talk(): Promise<void> {
		this.#title("Words");
		await this.#check("help names the real points with their ranges", async () => expect(await this.#ask("thermostat", "help"), /set POINT VALUE/, /setpoint.*5.*30/));
		await this.#check("status tells availability, and values with their age", async () => expect(await this.#ask("thermostat", "status"), /is online/, /setpoint: 21\.00 °C \((\d+ s ago|age unknown)\)/));
		await this.#check("read keeps the digits that the device sent", async () => expect(await this.#ask("thermostat", "read temperature"), /temperature: \d+\.\d\d °C/));
		await this.#check("a question mark reads too, over Modbus", async () => expect(await this.#ask("probe", "temperature?"), /temperature: 1[1-3]\.\d °C/));
		await this.#check("a charger that only talks is read, over VE.Direct", async () => expect(await this.#ask("solar", "V?"), /V: 12\.\d{3} V/));
		await this.#check("and so is a boat, over NMEA", async () => expect(await this.#ask("boat", "depth?"), /depth: 1[3-5]\.\d m/));
		await this.#check("history tells what was read, from the journal on disk", async () => expect(await this.#ask("thermostat", "history temperature 1h"), /\d\d:\d\d:\d\d {2}\d+\.\d\d °C/));
		await this.#check("watch begins to tell changes", async () => expect(await this.#ask("bulb", "watch brightness"), /brightness/));
		await this.#check("the gateway lists the devices", async () => {
			const answer = await this.#askGateway("devices");
			expect(answer, ...devices.map(({ id }) => new RegExp(`^${id}: online`, "m")));
		});
	}

	/** @returns what a later check awaits: values in a presence are told at a pace that a contact list can bear. */
	async #commands(): Promise<() => Promise<void>> {
		const { house } = this.#stage;
		const client = this.#operator;
		this.#title("Commands: done only when the device itself says so");
		const since = client.mark;
		await this.#check("set setpoint 22: pending at once, and the same message corrected to confirmed", async () => {
			const from = client.mark;
			const id = this.#say(jidOf("thermostat"), "set setpoint 22");
			const pending = await this.#answer(jidOf("thermostat"), from);
			expect(textOf(child(pending, "body")), /^setting setpoint to 22/);
			const done = await client.until("the correction of that message", (stanza) => child(stanza, "replace", "urn:xmpp:message-correct:0")?.attrs["id"] === pending.attrs["id"], { since: from });
			expect(textOf(child(done, "body")), /✓ setpoint is 22/);
			await client.until("a receipt", (stanza) => child(stanza, "received", "urn:xmpp:receipts")?.attrs["id"] === id, { since: from });
		});
		await this.#truth("the thermostat itself is set to 22 °C", () => house.thermostat.state.setpoint, 22);
		await this.#check("set brightness 100 at the Zigbee bulb", async () => expect(await this.#ask("bulb", "set brightness 100"), /✓ brightness is 100/));
		await this.#truth("the bulb itself shines, at 100 of 254", () => `${house.zigbee.state.bulb.state} ${house.zigbee.state.bulb.brightness}`, "ON 100");
		await this.#check("the watch tells of it by itself, and wants a receipt", async () => {
			const told = await client.until("a message of the bulb", (stanza) => isSentBy(jidOf("bulb"), stanza) && /^brightness 100/.test(textOf(child(stanza, "body"))), { since, withinMs: 15_000 });
			expect(String(child(told, "request", "urn:xmpp:receipts") !== undefined), /true/);
		});
		await this.#check("set relay1 on, over Modbus, read back from the board", async () => expect(await this.#ask("relays", "set relay1 on"), /✓ relay1 is on/));
		await this.#truth("the contact itself is closed", () => house.relays.state[0], true);
		await this.#check("set interval 2 at the sensor that speaks lines", async () => expect(await this.#ask("air", "set interval 2"), /✓ interval is 2/));
		await this.#truth("the sensor itself speaks every 2 s", () => house.air.state.interval, 2);
		for (const { id, text, done, truth, look, wanted } of orders(house)) {
			await this.#check(`${text} at ${nameIn(id)}`, async () => expect(await this.#ask(id, text), done));
			await this.#truth(truth, look, wanted);
		}
		return async () => {
			await client.until("a presence with the new setpoint", (stanza) => isPresenceOf("thermostat", stanza) && statusIn(stanza).includes("22.00"), { since, withinMs: 10_000 });
		};
	}

	async #mistakes(): Promise<void> {
		const { thermostat } = this.#stage.house;
		this.#title("Mistakes: an answer, and never an action");
		const heard = thermostat.heard.commands;
		await this.#check("an unknown word gets the nearest command", async () => expect(await this.#ask("thermostat", "staus"), /did you mean "status"/));
		await this.#check("a value out of range is refused, with the range", async () => expect(await this.#ask("thermostat", "set setpoint 99"), /^Cannot /, /5 to 30 °C/));
		await this.#check("what can only be read is not set", async () => expect(await this.#ask("probe", "set temperature 20"), /read-only/));
		await this.#truth("the thermostat has heard of none of it", () => thermostat.heard.commands, heard);
	}

	async #programs(): Promise<void> {
		const { house } = this.#stage;
		const client = this.#operator;
		this.#title("Programs: IoT stanzas");
		await this.#check("a readout by XEP-0323: accepted, then every value with its unit", async () => {
			const since = client.mark;
			const accepted = await this.#iq("get", "thermostat", `<req xmlns='${SENSOR_DATA}' seqnr='7' momentary='true'/>`);
			if (child(accepted, "accepted", SENSOR_DATA)?.attrs["seqnr"] !== "7") throw new Error(`Cannot find <accepted seqnr='7'/>: found ${explain(accepted)}`);
			const message = await client.until("the fields", (stanza) => stanza.attrs["from"] === `${jidOf("thermostat")}/thing` && child(stanza, "fields", SENSOR_DATA)?.attrs["done"] === "true", { since });
			const fields = descendants(message).filter(({ name }) => name === "numeric");
			for (const field of fields) this.#transcript.said("thermostat", "operator", `<numeric name='${field.attrs["name"] ?? ""}' value='${field.attrs["value"] ?? ""}' unit='${field.attrs["unit"] ?? ""}'/>`);
			expect(fields.map(({ attrs }) => `${attrs["name"] ?? ""}=${attrs["value"] ?? ""} ${attrs["unit"] ?? ""}`).join("\n"), /^setpoint=22\.00 °C$/m, /^temperature=\d+\.\d\d °C$/m);
		});
		await this.#check("a control by XEP-0325 is answered when the plug says so", async () => {
			const answer = await this.#iq("set", "plug", `<set xmlns='${CONTROL}'><boolean name='relay' value='true'/></set>`);
			if (child(answer, "setResponse", CONTROL) === undefined) throw new Error(`Cannot find <setResponse/>: found ${explain(answer)}`);
			this.#transcript.said("plug", "operator", "<setResponse/>");
		});
		await this.#truth("the plug itself is on", () => house.plug.state.on, true);
	}

	async #strangers(): Promise<void> {
		this.#title("Strangers: for them nothing is here");
		const stranger = await XmppClient.login(this.#stage.stranger);
		try {
			stranger.send("<presence/>");
			await this.#check("who has no rule gets no answer, no receipt, no presence", async () => {
				const since = stranger.mark;
				for (const to of [jidOf("thermostat"), things]) {
					stranger.chat(to, "status");
					this.#transcript.said("stranger", nameOf(to), "status");
					stranger.send(`<presence type='subscribe' to='${to}'/><presence type='probe' to='${to}'/>`);
				}
				await sleep(SILENCE_MS);
				const heard = stranger.heard.slice(since).filter(({ attrs }) => (attrs["from"] ?? "").endsWith(things));
				if (heard.length > 0) throw new Error(`Cannot call that silence: found ${heard.map(({ name, attrs }) => `${name} ${attrs["type"] ?? ""}`).join(", ")}`);
				this.#transcript.note("(silence)");
			});
			await this.#check("to a request the thermostat and a device that is not there answer alike", async () => {
				const answers: string[] = [];
				for (const to of [jidOf("thermostat"), `nobody@${things}`]) {
					const answer = await stranger.ask("get", to, `<req xmlns='${SENSOR_DATA}' seqnr='1' momentary='true'/>`);
					this.#transcript.said(nameOf(to), "stranger", explain(answer));
					answers.push(JSON.stringify({ ...answer, attrs: { type: answer.attrs["type"] } }));
				}
				expect(answers[0] ?? "", /service-unavailable/);
				if (answers[0] !== answers[1]) throw new Error(`Cannot call that alike: found ${answers.join(" and ")}`);
			});
		} finally {
			await stranger.close();
		}
	}

	async #losses(): Promise<void> {
		const { house } = this.#stage;
		this.#title("Losses: presence is the device's real state");
		house.thermostat.stuck = true;
		const stuckSince = this.#operator.mark;
		this.#transcript.note("(the thermostat's valve gets stuck: it hears, and does nothing)");
		this.#say(jidOf("thermostat"), "set setpoint 18");

		this.#transcript.note("(the serial adapter is pulled out)");
		await this.#goesAway(["probe", "relays"], 15_000, /adapter|link/, () => house.act("bus.unplug"));
		this.#transcript.note("(the serial adapter is put back)");
		await this.#comesBack(["probe", "relays"], 30_000, () => house.act("bus.unplug"));
		this.#transcript.note("(the plug loses its power)");
		await this.#goesAway(["plug"], 10_000, /./, () => house.act("plug.power"));
		this.#transcript.note("(the plug has power again)");
		await this.#comesBack(["plug"], 15_000, () => house.act("plug.power"));

		await this.#check("a command that the device does not carry out is never called done", async () => {
			const end = await this.#operator.until("the end of the command", (stanza) => isFrom("thermostat", stanza) && /✗/.test(textOf(child(stanza, "body"))), { since: stuckSince, withinMs: 20_000 });
			expect(textOf(child(end, "body")), /Cannot confirm "setpoint".*22\.00/);
		});
		await this.#truth("the thermostat is as it was", () => house.thermostat.state.setpoint, 22);
		house.thermostat.stuck = false;
	}

	async #end(): Promise<void> {
		this.#title("The end: the gateway is stopped");
		let ended: Promise<string> | undefined;
		await this.#goesAway(devices.map(({ id }) => id), 6_000, /stopped/, () => {
			ended = this.#stage.endGateway();
			return Promise.resolve();
		});
		await this.#check("jidway run ends with exit code 0", async () => expect((await ended) ?? "", /^exit code 0$/));
	}

	// ---- How to say, and what to see ----

	async #goesAway(ids: readonly DeviceId[], withinMs: number, why: RegExp, cause: () => Promise<void>): Promise<void> {
		const since = this.#operator.mark;
		await cause();
		for (const id of ids) {
			await this.#check(`${id} goes offline within ${withinMs / 1_000} s, and says why`, async () => {
				const presence = await this.#operator.until(`${id} to go offline`, (stanza) => isPresenceOf(id, stanza) && stanza.attrs["type"] === "unavailable", { since, withinMs });
				expect(statusIn(presence), why);
			});
		}
	}

	async #comesBack(ids: readonly DeviceId[], withinMs: number, cause: () => Promise<void>): Promise<void> {
		const since = this.#operator.mark;
		await cause();
		for (const id of ids) {
			await this.#check(`${id} is back by itself`, async () => {
				await this.#operator.until(`${id} to come back`, (stanza) => isPresenceOf(id, stanza) && stanza.attrs["type"] === undefined && child(stanza, "show") === undefined, { since, withinMs });
			});
		}
	}

	/** Writes a line to a device, and gives the last word of its answer. */
	async #ask(id: DeviceId, text: string): Promise<string> {
		return this.#askJid(jidOf(id), text);
	}

	async #askGateway(text: string): Promise<string> {
		return this.#askJid(things, text);
	}

	async #askJid(to: string, text: string): Promise<string> {
		const since = this.#operator.mark;
		this.#say(to, text);
		const first = await this.#answer(to, since);
		const body = textOf(child(first, "body"));
		if (!body.endsWith("…")) return body;
		return textOf(child(await this.#operator.until("the correction of that message", (stanza) => child(stanza, "replace") !== undefined && isSentBy(to, stanza), { since, withinMs: 20_000 }), "body"));
	}

	#say(to: string, text: string): string {
		this.#transcript.said("operator", nameOf(to), text);
		return this.#operator.chat(to, text);
	}

	async #answer(from: string, since: number): Promise<Stanza> {
		return this.#operator.until(`an answer of ${nameOf(from)}`, (stanza) => isSentBy(from, stanza) && child(stanza, "body") !== undefined, { since });
	}

	async #iq(type: "get" | "set", id: DeviceId, payload: string): Promise<Stanza> {
		this.#transcript.said("operator", id, payload);
		return this.#operator.ask(type, `${jidOf(id)}/thing`, payload);
	}

	/** What comes is shown as it comes. */
	#show(stanza: Stanza): void {
		const from = stanza.attrs["from"] ?? "";
		if (!from.includes(things)) return;
		const body = child(stanza, "body");
		if (stanza.name === "message" && body !== undefined) this.#transcript.said(nameOf(from), "operator", textOf(body), child(stanza, "replace") !== undefined);
		else if (stanza.name === "presence" && (stanza.attrs["type"] ?? "unavailable") === "unavailable") this.#transcript.presence(nameOf(from), stanza.attrs["type"] ?? (textOf(child(stanza, "show")) || "available"), statusIn(stanza));
	}

	#title(text: string): void {
		this.#transcript.title(text);
	}

	async #check(claim: string, prove: () => Promise<void>): Promise<void> {
		await this.#transcript.check(claim, prove);
	}

	/** A look at the simulated device itself, past the gateway. */
	async #truth(claim: string, look: () => unknown, wanted: unknown): Promise<void> {
		await this.#check(claim, async () => {
			if (look() !== wanted) throw new Error(`found ${String(look())}, wanted ${String(wanted)}`);
			return Promise.resolve();
		});
	}
}

interface Order {
	readonly id: DeviceId;
	readonly text: string;
	readonly done: RegExp;
	readonly truth: string;
	readonly look: () => unknown;
	readonly wanted: unknown;
}

/** A command in each of the other dialects that obey. */
function orders({ heater, shelf, zwave, saw, bench, pump, valve, venus }: House): readonly Order[] {
	return [
		{ id: "heater", text: "set heating/setpoint 23", done: /✓ heating\/setpoint is 23\.0 °C/, truth: "the heater itself is set to 23 °C, by Homie", look: () => heater.values["heating/setpoint"], wanted: "23.0" },
		{ id: "shelf", text: "set color #3060FF", done: /✓ color is #3060FF/, truth: "the strip itself is blue, by WLED", look: () => shelf.state.color, wanted: "#3060FF" },
		{ id: "coffee", text: "set switch_binary/0/targetValue on", done: /✓ switch_binary\/0\/targetValue is on/, truth: "the coffee machine itself is on, by Z-Wave JS UI", look: () => zwave.state.on, wanted: true },
		{ id: "saw", text: "set POWER on", done: /✓ POWER is on/, truth: "the saw's plug itself is on, by Tasmota", look: () => saw.on, wanted: true },
		{ id: "bench", text: "set switch:0.output on", done: /✓ switch:0\.output is on/, truth: "the bench's plug itself is on, by Shelly's RPC", look: () => bench.on, wanted: true },
		{ id: "pump", text: "set pump on", done: /✓ pump is on/, truth: "the pump itself runs, by ESPHome", look: () => pump.pump, wanted: true },
		{ id: "valve", text: "set Setpoint/Target 60", done: /✓ Setpoint\/Target is 60 %/, truth: "the valve itself is at 60 %, by Sparkplug B", look: () => valve.state.target, wanted: 60 },
		{ id: "inverter", text: "set Mode 1", done: /✓ Mode is 1/, truth: "the inverter itself only charges, by Victron's MQTT", look: () => venus.state["vebus/276/Mode"], wanted: 1 },
	];
}

function nameIn(id: DeviceId): string {
	return devices.find((device) => device.id === id)?.name ?? id;
}

function expect(text: string, ...patterns: readonly RegExp[]): void {
	for (const pattern of patterns) if (!pattern.test(text)) throw new Error(`found "${text}", wanted ${String(pattern)}`);
}

function isSentBy(bare: string, { name, attrs }: Stanza): boolean {
	return name === "message" && (attrs["from"] ?? "").split("/")[0] === bare;
}

function isFrom(id: DeviceId, stanza: Stanza): boolean {
	return isSentBy(jidOf(id), stanza);
}

/** Availability comes from the device's one resource; subscriptions from its bare JID. */
function isPresenceOf(id: DeviceId, { name, attrs }: Stanza): boolean {
	return name === "presence" && attrs["from"] === `${jidOf(id)}/thing`;
}

function statusIn(presence: Stanza): string {
	return textOf(child(presence, "status"));
}

/** `thermostat` for one of our devices, `gateway` for the gateway. */
function nameOf(jid: string): string {
	const bare = jid.split("/")[0] ?? "";
	return bare === things ? "gateway" : bare.endsWith(`@${things}`) ? (bare.split("@")[0] ?? bare) : bare;
}

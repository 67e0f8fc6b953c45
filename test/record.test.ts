import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { planGateway, type Surroundings } from "../src/assemble.js";
import { runProgram } from "../src/cli/program.js";
import { parseConfig } from "../src/config/load.js";
import { startGateway } from "../src/gateway.js";
import { hex, recorded } from "../src/record.js";
import type { Link, LinkEars } from "../src/south/link.js";
import type { OpenPort, PortOpener } from "../src/south/serial/port.js";
import { MemoryStream } from "../src/xmpp/memory.js";
import { FakeClock, settle } from "./fakes/clock.js";
import { MemoryLog } from "./fakes/log.js";
import { parseTranscript, playTranscript } from "./transcript.js";

const SECRET = "s3cr3t <&> \"it's\"";
const SECRETS = [SECRET, "br0k er", "br0k%20er", "us3r-pw"];
const CONFIG = `
uplink: { kind: component, domain: things.example.org, secret: "\${JIDWAY_SECRET}" }
access: [{ who: romeo@example.org, role: owner }]
links:
  - id: farm
    kind: mqtt
    url: mqtt://jidway:br0k%20er@broker.example.org
    ca: ca.pem
    topics:
      - match: sensors/{room}/state
        device: "{room}"
        points:
          temperature: { path: temp, unit: "°C" }
          note: { path: note, kind: text }
          relay: { path: relay, kind: boolean, set: { topic: "sensors/{room}/set", payload: '{"relay":{value}}', retain: true } }
          reset: { kind: boolean, set: { topic: "sensors/{room}/100% reset", payload: "" } }
  - id: own
    kind: mqtt
    broker: { listen: "127.0.0.1:0", users: { juliet: us3r-pw }, tls: { cert: ca.pem, key: ca.pem } }
  - { id: bus0, kind: serial, path: /dev/ttyUSB0, baud: 9600, protocol: modbus-rtu }
devices:
  - { id: cellar, link: bus0, address: 1, definition: xy-md02, name: Cellar, every: 10s }
`;

class HeldLink implements Link {
	readonly id: string;
	readonly #clock: FakeClock;
	ears: LinkEars | undefined;

	constructor(id: string, clock: FakeClock) {
		this.id = id;
		this.#clock = clock;
	}

	run(ears: LinkEars, signal: AbortSignal): Promise<void> {
		this.ears = ears;
		ears.state({ up: true });
		return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
	}

	async send(): Promise<void> {
		await Promise.resolve();
	}

	hear(topic: string, payload: string | Uint8Array, retained = false): void {
		this.ears!.packet({ body: { kind: "message", topic, payload: Buffer.from(payload), retained }, received: this.#clock.now(), taken: () => undefined });
	}
}

/** A probe on the bus: frames of the model's manual. */
const ANSWERS: Readonly<Record<string, string>> = {
	"01 04 00 01 00 02 20 0B": "01 04 04 FF F6 01 C2 AB A3",
	"01 03 01 03 00 02 35 F7": "01 03 04 00 00 00 00 FA 33",
};

class Probe implements PortOpener {
	async open(): Promise<OpenPort & { close(): Promise<void> }> {
		const port: OpenPort & { close(): Promise<void> } = {
			onData: () => undefined,
			write: async (bytes) => {
				const answer = ANSWERS[hex(bytes)];
				if (answer !== undefined) setImmediate(() => port.onData(Buffer.from(answer.replaceAll(" ", ""), "hex")));
			},
			close: async () => undefined,
		};
		return port;
	}
}

let folder = "";
let file = "";
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "jidway-record-"));
	file = join(folder, "record.transcript");
	writeFileSync(join(folder, "ca.pem"), "no certificate");
});
afterEach(() => {
	chmodSync(folder, 0o700);
	rmSync(folder, { recursive: true, force: true });
});

async function started() {
	const loaded = planGateway({ ...parseConfig(`gateway: { data: data }\n${CONFIG}`, join(folder, "jidway.yaml"), { JIDWAY_SECRET: SECRET }) });
	const [clock, log, stream] = [new FakeClock(), new MemoryLog(), new MemoryStream()];
	const links = new Map<string, HeldLink>();
	const surroundings: Surroundings = {
		clock, log, random: () => 0.5, newId: () => "not this one", version: "0.0.0-test", ports: new Probe(), stream: () => stream,
		mqtt: (id) => {
			const link = new HeldLink(id, clock);
			links.set(id, link);
			return link;
		},
	};
	const open = await loaded.open(recorded(surroundings, loaded, file));
	const gateway = startGateway(open.parts);
	await settle();
	const stop = async (): Promise<void> => {
		const stopped = gateway.stop();
		await clock.advance(5_000);
		await stopped;
	};
	return { clock, log, stream, farm: links.get("farm")!, stop };
}

describe("a gateway with a recorder", () => {
	test("leaves a transcript that plays: messages, bytes and stanzas of all kinds, roads that go and come, and the end", async () => {
		const { clock, stream, farm, stop } = await started();
		const say = async (act: () => void, after = 100): Promise<void> => {
			act();
			await settle();
			await clock.advance(after);
		};
		await clock.advance(1_000);
		const romeo = (xml: string): void => stream.hear(xml.replaceAll("FROM", "from='romeo@example.org/orchard'"));
		await say(() => farm.hear("sensors/hall/state", '{"temp":21.50,"relay":false}', true));
		await say(() => farm.hear("sensors/hall/state", '{"temp":21.50,"relay":false}'));
		await say(() => farm.hear("sensors/living room/state", '{"temp":19}'));
		await say(() => farm.hear("sensors/hall/state", Uint8Array.of(0, 255, 10)));
		await say(() => farm.hear("sensors/hall/state", JSON.stringify({ temp: 22, note: `it is ${SECRET}` })));
		await say(() => farm.hear("sensors/hall/state", `{"temp":22,\n"note":"us3r-pw"}`));
		await say(() => romeo("<presence type='subscribe' from='romeo@example.org' to='hall@things.example.org'/>"));
		await say(() => romeo("<presence FROM to='hall@things.example.org'/>"));
		await say(() => romeo("<message type='chat' id='m1' FROM to='hall@things.example.org'><body>help</body></message>"));
		await say(() => romeo("<message type='chat' id='m2' FROM to='cellar@things.example.org'><body>status</body></message>"));
		await say(() => romeo("<message type='chat' id='m3' FROM to='hall@things.example.org'><body>note</body></message>"));
		await say(() => romeo("<iq type='set' id='c1' FROM to='hall@things.example.org/thing'><set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set></iq>"));
		await say(() => farm.hear("sensors/hall/state", '{"temp":22,"relay":true}'));
		await say(() => romeo("<iq type='set' id='c2' FROM to='hall@things.example.org/thing'><set xmlns='urn:xmpp:iot:control'><boolean name='reset' value='true'/></set></iq>"));
		await say(() => farm.ears!.state({ up: false, reason: "the broker closed the connection" }), 2_000);
		await say(() => farm.ears!.state({ up: true }));
		await say(() => stream.setOffline("the server is gone"), 3_000);
		await say(() => stream.setOnline(clock.now()), 10_000);
		await stop();

		const text = readFileSync(file, "utf8");
		for (const shape of [/^farm <r sensors\/hall/m, /^farm < sensors\/living%20room\/state /m, /^farm < \S+ hex:00ff0a$/m, /^farm >r sensors\/hall\/set \{"relay":true\}$/m, /^farm > sensors\/hall\/100%25%20reset\s*$/m, /^bus0 > 01 04/m, /^bus0 < 01 04/m, /^# bus0 is up$/m, /^xmpp < <message/m, /^xmpp > <message.*&#10;/m, /^xmpp > <iq type='result'.*OK/m, /^farm is down: /m, /^xmpp is down: the server is gone$/m, /^xmpp is up$/m, /^# at its end: xmpp > <presence type='unavailable'/m]) assert.match(text, shape);
		for (const secret of SECRETS) for (const form of [secret, Buffer.from(secret).toString("hex"), hex(Buffer.from(secret)), JSON.stringify(secret).slice(1, -1), "s3cr3t"]) assert.ok(!text.includes(form), `${form} is in the record`);
		await playTranscript(parseTranscript(text));
	});

	test("and the transcript that plays is held to what it says", async () => {
		const { clock, farm, stream, stop } = await started();
		farm.hear("sensors/hall/state", '{"temp":21}');
		await settle();
		stream.hear("<presence type='subscribe' from='romeo@example.org' to='hall@things.example.org'/>");
		await clock.advance(1_000);
		await stop();
		const text = readFileSync(file, "utf8");
		assert.match(text, /21 °C/);
		await assert.rejects(playTranscript(parseTranscript(text.replaceAll("21 °C", "22 °C"))), { name: "AssertionError" });
	});

	test("makes a file that only its owner reads, and one that is there already no less", async () => {
		writeFileSync(file, "before", { mode: 0o644 });
		chmodSync(file, 0o644);
		const { stop } = await started();
		await stop();
		assert.equal(statSync(file).mode & 0o777, 0o600);
		assert.doesNotMatch(readFileSync(file, "utf8"), /before/);
	});

	test("goes on when the file takes no more, and says so once", async () => {
		const { clock, log, farm, stream, stop } = await started();
		renameSync(folder, `${folder}-away`); // what is appended to is gone
		try {
			for (let i = 0; i < 5; i++) {
				farm.hear("sensors/hall/state", `{"temp":${i}}`);
				await settle();
			}
			assert.deepEqual(log.lines.filter((line) => /record/.test(line) && !/Everything/.test(line)).map((line) => line.replaceAll(folder, "F")), ["error Cannot go on recording to \"F/record.transcript\": ENOENT: no such file or directory, open 'F/record.transcript'; what it holds ends here, and the gateway goes on"]);
			stream.hear("<presence type='subscribe' from='romeo@example.org' to='hall@things.example.org'/>");
			await clock.advance(100);
			assert.match(stream.sent.join("\n"), /4 °C/);
		} finally {
			renameSync(`${folder}-away`, folder);
			await stop();
		}
	});
});

test("\"jidway run --record\" to a file that cannot be written ends with exit code 2, and says what to do", async (t) => {
	const config = join(folder, "jidway.yaml");
	writeFileSync(config, `gateway: { data: data }\nweb: { listen: "127.0.0.1:0" }\n${CONFIG.replace("${JIDWAY_SECRET}", "other-secret")}`);
	const errors: string[] = [];
	t.mock.method(console, "error", (text: string) => void errors.push(text));
	for (const to of [join(folder, "no", "such", "folder"), folder]) assert.equal(await runProgram(["run", "-c", config, "--record", to], { stop: AbortSignal.abort(), onHangup: () => undefined }), 2);
	assert.equal(errors.length, 2);
	for (const error of errors) assert.match(error, /^Cannot record to ".*": E\w+: .*; name a file in a folder where this user may write$/);
});

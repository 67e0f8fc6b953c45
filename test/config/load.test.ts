import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { ConfigError, dataFolderOf, parseConfig } from "../../src/config/load.js";
import { configSchema } from "../../src/config/schema.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";

const GOOD = `
uplink: { kind: component, domain: Things.example.org, secret: "\${JIDWAY_SECRET}" }
access:
  - { who: Alice@example.org, role: owner }
  - { who: "*@ops.example.org", role: operator, devices: ["pump-*"] }
links:
  - id: farm
    kind: mqtt
    url: mqtt://127.0.0.1:1883
    topics:
      - match: sensors/{room}/{id}/state
        device: "{room}-{id}"
        points:
          temperature: { path: temp, unit: "C" }
  - { id: bus0, kind: serial, path: /dev/ttyUSB0, protocol: modbus-rtu }
devices:
  - { id: boiler, link: bus0, address: 17, definition: xy-md02, every: 5s }
`;
const ENV = { JIDWAY_SECRET: "s3cr3t" };

test("parseConfig() fills in defaults, durations in ms, units in our spelling, and what the environment says", () => {
	const { config, secrets } = parseConfig(GOOD, "jidway.yaml", ENV);
	assert.deepEqual(config.uplink, { kind: "component", domain: "things.example.org", host: "127.0.0.1", port: 5347, secret: "s3cr3t" });
	assert.deepEqual(config.gateway, { id: "jidway", name: "Jidway", data: "/var/lib/jidway" });
	assert.equal(config.access[0]!.who, "alice@example.org");
	const [farm, bus0] = config.links;
	assert.equal(farm!.kind === "mqtt" && farm!.topics[0]!.points!["temperature"]!.unit, "°C");
	assert.equal(farm!.kind === "mqtt" && farm!.session, 86_400_000);
	assert.equal(bus0!.kind === "serial" && bus0!.baud, 9600);
	assert.deepEqual(config.devices[0], { id: "boiler", link: "bus0", address: "17", definition: "xy-md02", every: 5_000 });
	assert.deepEqual(secrets, ["s3cr3t"]);
});

/** One change to GOOD, and the one line that must be said of it: [what, from, to, line:column, says]. */
const FAULTS: readonly (readonly [string, string, string, string, RegExp])[] = [
	["an unknown key near a known one", "secret:", "sercet:", "2:56", /uplink\.sercet: is no key that Jidway knows; did you mean "secret"\?/],
	["an unknown key of a link, by its kind", "url:", "baud: 9600\n    url:", "9:5", /links\[0\]\.baud: is no key that Jidway knows; known here: id, kind, url, broker/],
	["a missing environment variable", "JIDWAY_SECRET", "NOPE", "2:56", /uplink\.secret: needs the environment variable NOPE, which is not set: export NOPE=/],
	["half an address", "Alice@example.org", "alice", "4:7", /must be a whole address like alice@example\.org/],
	["an unknown unit", "\"C\"", "gradC", "14:38", /is no unit that Jidway knows: "gradC"/],
	["an unknown role", "role: owner", "role: admin", "4:31", /expected one of/],
	["a wrong duration", "every: 5s", "every: 5", "17:65", /takes a string/],
	["a link that does not exist", "link: bus0", "link: bus9", "17:19", /names no link: there is no "bus9"; did you mean "bus0"\?/],
	["a Modbus unit that cannot be", "address: 17", "address: 300", "17:31", /must be the Modbus unit, 1 to 247: "300"/],
	["a device id in capitals", "id: boiler", "id: Boiler", "17:7", /must be in lower case/],
	["a missing domain", "domain: Things.example.org, ", "", "2:1", /uplink\.domain: is missing: it takes a string/],
	["no YAML", "access:", "access: [", "", /is no YAML/],
	["a key that stands twice", "access:", "uplink: 1\naccess:", "3:1", /is no YAML: Map keys must be unique/],
	["a broker address of another kind", "mqtt://", "http://", "9:5", /is no broker address/],
	["a port that cannot be", "uplink:", "web: { listen: \"127.0.0.1:99999\" }\nuplink:", "2:8", /names a port above 65535/],
	["a domain with a final dot", "Things.example.org", "things.example.org.", "2:28", /is no domain name/],
	["a device that stands twice", "\ndevices:", "\ndevices:\n  - { id: other, link: bus0, address: 17, definition: xy-md02 }", "18:5", /names the same device as devices\[0\]/],
	["neither broker nor url", "    url: mqtt://127.0.0.1:1883\n", "", "7:5", /needs either "url:"/],
];
for (const [what, from, to, at, says] of FAULTS) {
	test(`parseConfig() points at ${what}`, () => {
		assert.ok(GOOD.includes(from));
		assert.throws(() => parseConfig(GOOD.replace(from, to), "jidway.yaml", ENV), (error) => {
			assert.ok(error instanceof ConfigError);
			const line = error.message.split("\n").find((each) => says.test(each));
			assert.ok(line !== undefined, error.message);
			assert.ok(line.startsWith(`jidway.yaml:${at}`), line);
			return true;
		});
	});
}

test("parseConfig() tells all faults at once, in the order of the file", () => {
	const text = GOOD.replace("secret:", "sercet:").replace("Alice@example.org", "alice").replace("link: bus0", "link: bus9");
	assert.throws(() => parseConfig(text, "f", ENV), (error) => {
		assert.ok(error instanceof ConfigError);
		assert.deepEqual(error.faults.map(({ line }) => line), [2, 2, 4, 17]);
		return true;
	});
});

test("parseConfig() reads a secret from a file beside the config, without its line end", () => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-config-"));
	try {
		writeFileSync(join(folder, "xmpp"), "fr0m file\n");
		const { config, secrets } = parseConfig(GOOD.replace("\"${JIDWAY_SECRET}\"", "file:xmpp"), join(folder, "jidway.yaml"), {});
		assert.equal(config.uplink.secret, "fr0m file");
		assert.deepEqual(secrets, ["fr0m file"]);
		assert.throws(() => parseConfig(GOOD.replace("\"${JIDWAY_SECRET}\"", "file:nope"), join(folder, "jidway.yaml"), {}), /uplink\.secret: cannot be read from/);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

// [the address of the broker, what must not be in a log]
const IN_ADDRESSES: readonly (readonly [string, readonly string[]])[] = [
	["mqtt://romeo:p%40ss%2Fw0rd@broker.example.org:1883", ["p%40ss%2Fw0rd", "p@ss/w0rd"]],
	["mqtts://romeo:pl4in@broker.example.org", ["pl4in"]],
	["ws://romeo:a@b\"c@broker.example.org/mqtt", ["a@b\"c", "a%40b%22c"]],
	["mqtt://romeo:1%zz2@broker.example.org", ["1%zz2"]],
	["mqtt://:${PASSWORD}@broker.example.org", ["fr0m env"]],
	["mqtt://romeo@broker.example.org", []],
	["mqtt://broker.example.org/a:b@c", []],
];
for (const [url, wanted] of IN_ADDRESSES) {
	test(`parseConfig() knows the password in ${url} for a secret, as it is written and as it is meant`, () => {
		const { secrets } = parseConfig(GOOD.replace("mqtt://127.0.0.1:1883", JSON.stringify(url)), "jidway.yaml", { ...ENV, PASSWORD: "fr0m%20env" });
		for (const secret of wanted) assert.ok(secrets.includes(secret), `${secret} is not in ${secrets.join(" ")}`);
		if (wanted.length === 0) assert.deepEqual(secrets, ["s3cr3t"]);
		assert.ok(!secrets.includes(""));
	});
}

test("dataFolderOf() needs no secret, and nothing but YAML with a folder", () => {
	const folder = mkdtempSync(join(tmpdir(), "jidway-config-"));
	try {
		const file = join(folder, "jidway.yaml");
		writeFileSync(file, GOOD);
		assert.equal(dataFolderOf(file, {}), "/var/lib/jidway");
		writeFileSync(file, "gateway: { data: \"${DATA}/x\" }\nuplink: { secret: \"${NOPE}\", wrong: 1 }");
		assert.equal(dataFolderOf(file, { DATA: "." }), join(folder, "x"));
		assert.throws(() => dataFolderOf(file, {}), /gateway\.data: needs the environment variable DATA/);
		writeFileSync(file, "a: [");
		assert.throws(() => dataFolderOf(file, {}), ConfigError);
		assert.throws(() => dataFolderOf(join(folder, "absent"), {}), { fault: "bad-config", message: /Cannot find config file/ });
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("parseConfig() throws nothing but ConfigError on damaged files", () => {
	const chance = new Chance(7);
	for (let run = 0; run < Math.min(RUNS, 2_000); run++) {
		const text = Buffer.from(mutate(chance, Buffer.from(GOOD))).toString("utf8");
		try {
			parseConfig(text, "f", ENV);
		} catch (error) {
			if (!(error instanceof ConfigError)) throw error;
		}
	}
});

test("jidway.schema.json is what the config schema says; \"npm run schema\" writes it", () => {
	const written: unknown = JSON.parse(readFileSync(new URL("../../jidway.schema.json", import.meta.url), "utf8"));
	assert.deepEqual(written, JSON.parse(JSON.stringify(z.toJSONSchema(configSchema, { io: "input" }))));
});

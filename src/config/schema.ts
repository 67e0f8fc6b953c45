// The config file as a type; what a single value means is in values.ts, how faults are told in load.ts.
import { z } from "zod";
import { access, bytes, deadband, deviceId, domain, duration, identifier, listen, unit } from "./values.js";

const category = z.enum(["momentary", "peak", "status", "computed", "identity"]);

/** What may be said of a point, wherever points are declared or refined. */
const pointFacts = {
	label: z.string().min(1).max(100).optional().describe("What people call it"),
	category: category.optional(),
	confirm: z.enum(["state", "none"]).optional().describe("Is a command done when a reading says so, or when it was sent?"),
	timeout: duration.optional().describe("How long a command waits for its confirmation"),
	min: z.number().optional(),
	max: z.number().optional(),
	step: z.number().positive().optional(),
	integer: z.boolean().optional(),
	labels: z.array(z.string().min(1)).min(1).max(200).optional(),
};

const topicPoint = z.strictObject({
	...pointFacts,
	path: z.string().optional().describe("Where in a JSON payload: temp, sensors[0].value; \"\" is the whole payload; left out, the point is the JSON member of its name, or the bare payload"),
	kind: z.enum(["numeric", "boolean", "enum", "text"]).optional(),
	unit: unit.optional(),
	on: z.string().optional().describe("What the device writes for true"),
	off: z.string().optional(),
	set: z.strictObject({
		topic: z.string().min(1),
		payload: z.string().default("{value}"),
		retain: z.boolean().optional(),
		qos: z.union([z.literal(0), z.literal(1)]).optional(),
	}).optional(),
});

const topicRule = z.strictObject({
	match: z.string().min(1).describe("sensors/{room}/{id}/state: {name} is one level, {name...} the rest"),
	device: z.string().min(1).describe("{room}-{id}"),
	name: z.string().min(1).optional(),
	every: duration.optional().describe("How often the device should be heard from"),
	points: z.record(z.string().min(1), topicPoint).optional().describe("Left out: every scalar of a JSON payload becomes a point"),
	availability: z.strictObject({ topic: z.string().min(1), online: z.string().default("online"), offline: z.string().default("offline") }).optional(),
});

const mqttLink = z.strictObject({
	id: identifier,
	kind: z.literal("mqtt"),
	url: z.string().regex(/^(mqtts?|wss?):\/\/\S+$/, "is no broker address: mqtt://host:1883, mqtts://…, ws://… or wss://…").optional(),
	broker: z.strictObject({
		listen: listen,
		users: z.record(z.string().min(1), z.string().min(1)).optional(),
		tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
	}).optional().describe("The embedded broker, MQTT 3.1.1"),
	username: z.string().optional(),
	password: z.string().optional(),
	ca: z.string().optional().describe("File with the certificate authority of the broker"),
	cert: z.string().optional(),
	key: z.string().optional(),
	version: z.union([z.literal(4), z.literal(5)]).default(4),
	client_id: z.string().min(1).max(64).optional(),
	session: duration.prefault("1d").describe("MQTT 5: how long the broker keeps the session"),
	conventions: z.array(z.string()).optional(),
	topics: z.array(topicRule).default([]),
});

const serialLink = z.strictObject({
	id: identifier,
	kind: z.literal("serial"),
	path: z.string().min(1).describe("/dev/serial/by-id/… stays the same when the adapter is plugged elsewhere"),
	baud: z.number().int().min(50).max(4_000_000).default(9600),
	parity: z.enum(["none", "even", "odd"]).default("none"),
	data: z.union([z.literal(7), z.literal(8)]).default(8),
	stop: z.union([z.literal(1), z.literal(2)]).default(1),
	protocol: z.enum(["lines", "json-lines", "modbus-rtu", "frames", "nmea", "dsmr", "vedirect", "sds011", "plantower", "mhz19", "mysensors", "rflink", "jeelink", "cul", "firmata", "kiss", "at", "cobs-cbor"])
		.describe("What is spoken: lines of text, Modbus, binary frames that a definition describes, or one of the protocols that describe their devices themselves"),
});

const refinement = z.strictObject({ ...pointFacts, unit: unit.optional(), access: z.enum(["r", "w", "rw"]).optional() });

const device = z.strictObject({
	id: deviceId,
	link: identifier,
	address: z.union([z.string().min(1), z.number().int().nonnegative()]).transform(String).optional().describe("What the source itself calls it: unit number, IEEE address, topic name"),
	definition: z.string().min(1).optional().describe("The model: the name of a file in devices/"),
	name: z.string().min(1).max(100).optional(),
	every: duration.optional(),
	points: z.record(z.string().min(1), refinement).optional(),
});

const component = z.strictObject({
	kind: z.literal("component"),
	domain,
	host: z.string().min(1).default("127.0.0.1"),
	port: z.number().int().min(1).max(65_535).default(5347),
	secret: z.string().min(1),
});

const rule = z.strictObject({
	who: access,
	role: z.enum(["none", "viewer", "operator", "owner"]),
	devices: z.array(z.string().min(1)).min(1).optional(),
	points: z.record(z.string().min(1), z.array(z.string().min(1)).min(1)).optional(),
});

const reportRule = z.strictObject({
	points: z.array(z.string().regex(/^[^.]+\..+$/, "must be DEVICE.POINT, where * stands for any characters")).min(1).describe("Patterns DEVICE.POINT; * matches any characters, dots included"),
	deadband: deadband.optional().describe("A change smaller than this is not told: 0.2 in the unit of the point, or \"5%\" of the value that was told last"),
	heartbeat: duration.optional().describe("An unchanged value is told again after this long, with its own time"),
	min_interval: duration.optional().describe("A point is told at most so often; what comes too early is told at the end of the interval"),
	max_age: duration.optional().describe("A value older than this is marked as stale"),
});

/** The whole file: design §3.2. */
export const configSchema = z.strictObject({
	version: z.literal(1).default(1),
	gateway: z.strictObject({
		id: z.string().regex(/^[a-z0-9-]+$/, "must be made of a-z, 0-9 and -").max(63).default("jidway"),
		name: z.string().min(1).max(100).default("Jidway"),
		data: z.string().min(1).default("/var/lib/jidway"),
	}).prefault({}),
	uplink: component,
	access: z.array(rule).default([]),
	links: z.array(z.discriminatedUnion("kind", [mqttLink, serialLink])).min(1, "must list at least one link: an MQTT broker or a serial port"),
	devices: z.array(device).default([]),
	definitions: z.string().min(1).optional().describe("A folder of your own device definitions, read beside those that come with Jidway"),
	report: z.array(reportRule).default([]).describe("What leaves the gateway: the first rule that matches a point; without one every change does"),
	history: z.strictObject({
		keep: duration.prefault("30d").describe("Older readings are deleted"),
		limit: bytes.prefault("512MB").describe("A larger database loses its oldest readings"),
		flush: duration.prefault("5s").describe("How long readings that nobody waits for may stay in memory: what a power cut may cost. Those of acknowledged messages are written at once"),
	}).prefault({}),
	outbox: z.strictObject({
		keep: duration.prefault("7d").describe("What could not be delivered for so long is given up"),
		limit: bytes.prefault("64MB").describe("A larger outbox loses its oldest letters that are not urgent"),
	}).prefault({}),
	web: z.strictObject({ listen: listen }).prefault({ listen: "127.0.0.1:8642" }),
	log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error", "silent"]).default("info") }).prefault({}),
	limits: z.strictObject({
		// Above what servers let through (512 KiB in Prosody and ejabberd), so that no user of theirs can make the stream close.
		stanza: bytes.prefault("1MB").describe("A larger stanza from the server closes the stream, which is opened again"),
	}).prefault({}),
});

/** zod says `?: T | undefined` of what may be left out; what it gives has no key then. */
type Exact<T> = T extends readonly (infer Item)[] ? readonly Exact<Item>[] : T extends object ? { readonly [K in keyof T]: Exact<Exclude<T[K], undefined>> } : T;

/** A config that can be used. */
export type Config = Exact<z.output<typeof configSchema>>;
export type LinkConfig = Config["links"][number];
export type MqttLinkConfig = Extract<LinkConfig, { kind: "mqtt" }>;
export type SerialLinkConfig = Extract<LinkConfig, { kind: "serial" }>;

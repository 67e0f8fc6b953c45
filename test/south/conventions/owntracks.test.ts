import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnTracksPhone } from "../../../firmware-sim/owntracks-phone.js";
import { OwnTracks } from "../../../src/south/conventions/owntracks.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf } from "./said.js";

const LOCATION = { _type: "location", lat: 45.4384, lon: 10.9917, acc: 8, alt: 60, vel: -1, cog: -1, batt: 55, conn: "w", tid: "ro", inregions: ["Garden", "Town"], tst: 1_700_000_000, x_fork: 5 };

test("a location is told member by member, with the time that it states; minus one is unknown", () => {
	const meaning = new OwnTracks().hear(message("owntracks/romeo/phone", LOCATION));
	assert.deepEqual(readings(meaning), { lat: "45.4384", lon: "10.9917", acc: "8", alt: "60", batt: "55", conn: "w", tid: "ro", inregions: "Garden,Town" });
	assert.ok(meaning?.told?.every(({ at, address }) => at === 1_700_000_000_000 && address === "owntracks/romeo/phone"));
	const points = meaning?.announced?.[0]?.points ?? {};
	assert.deepEqual(["lat", "alt", "batt"].map((name) => (points[name]?.kind === "numeric" ? points[name].unit : undefined)), ["°", "m", "%"]);
});

test("heights and places south and west are below zero, and are told", () => {
	assert.deepEqual(readings(new OwnTracks().hear(message("owntracks/r/p", { _type: "location", lat: -33.5, lon: -70.25, alt: -3 }))), { lat: "-33.5", lon: "-70.25", alt: "-3" });
});

test("the other messages are told for what they are", () => {
	const rows: readonly (readonly [string, unknown, Record<string, string>])[] = [
		["/event", { _type: "transition", event: "leave", desc: "Garden", lat: 1.5, lon: 2.5, acc: 9, tst: 1 }, { event: "leave", desc: "Garden", lat: "1.5", lon: "2.5", acc: "9" }],
		["/step", { _type: "steps", steps: 900, from: 1_700_000_000, to: 1_700_000_900 }, { steps: "900", from: "1700000000", to: "1700000900" }],
		["/waypoint", { _type: "waypoint", desc: "Home", lat: 1.5, lon: 2.5, rad: 50 }, { "waypoint.desc": "Home", "waypoint.lat": "1.5", "waypoint.lon": "2.5", "waypoint.rad": "50" }],
		["/info", { _type: "card", name: "Romeo", face: "AAAA" }, { name: "Romeo" }],
		["/status", { _type: "status", android: { ps: 0, loc: -1 } }, { "android.ps": "0", "android.loc": "-1" }],
	];
	for (const [last, payload, told] of rows) assert.deepEqual(readings(new OwnTracks().hear(message(`owntracks/r/p${last}`, payload))), told, last);
	assert.equal(new OwnTracks().hear(message("owntracks/r/p/info", { _type: "card", name: "Romeo" }))?.announced?.[0]?.name, "Romeo");
});

test("the last will says that the phone is gone", () => {
	assert.deepEqual(statesOf(new OwnTracks().hear(message("owntracks/r/p", { _type: "lwt", tst: 1_700_000_000 }))), { "owntracks/r/p": "offline" });
});

test("the short form is scaled", () => {
	const meaning = new OwnTracks().hear(message("owntracks/r/p", "RO,6553f100,t,45438400,-10991700,18,55,6,120,3"));
	assert.deepEqual(readings(meaning), { tid: "RO", t: "t", lat: "45.438400", lon: "-10.991700", cog: "180", vel: "55", alt: "60", dist: "120", trip: "3000" });
	assert.equal(meaning?.told?.[0]?.at, 1_700_000_000_000);
});

test("commands, settings, lists and the unreadable tell nothing", () => {
	for (const [last, payload] of [["/cmd", { _type: "cmd", action: "dump" }], ["/dump", { _type: "configuration", mode: 0 }], ["/waypoints", { _type: "waypoints", waypoints: [] }], ["", ""], ["", "hello"], ["", "[1]"], ["/a/b", LOCATION]] as const) {
		assert.equal(new OwnTracks().hear(message(`owntracks/r/p${last}`, payload))?.told, undefined, last);
	}
	assert.match(reasons(new OwnTracks().hear(message("owntracks/r/p", { _type: "encrypted", data: "x" }))).join(), /encrypted/);
	assert.equal(new OwnTracks().hear(message("other/r/p", LOCATION)), undefined);
});

test("the same points on each message are announced once", () => {
	const tracks = new OwnTracks();
	assert.equal(tracks.hear(message("owntracks/r/p", LOCATION))?.announced?.length, 1);
	assert.equal(tracks.hear(message("owntracks/r/p", LOCATION))?.announced, undefined);
});

test("the simulated phone reports where it is when it is asked", async () => {
	const broker = await TestBroker.start();
	const site = await Listener.start(broker.url, new OwnTracks());
	const sim = new OwnTracksPhone({ url: broker.url });
	try {
		await sim.start();
		await until("where it is", () => site.value(sim.base, "lat") === "45.4384");
		assert.equal(site.twins.get(sim.base)?.device.name, "Romeo");
		assert.equal((await site.set(sim.base, "cmd", "reportLocation"))?.value, "reportLocation");
		assert.equal(site.value(sim.base, "t"), "r");
		await site.set(sim.base, "cmd", "dump");
		assert.deepEqual(sim.done, ["reportLocation", "dump"]);
		sim.stuck = true; // remote commands are not allowed on the phone
		await assert.rejects(site.set(sim.base, "cmd", "reportLocation", 100), { fault: "device-timeout" });
		sim.walk();
		await until("the walk", () => site.value(sim.base, "event") === "leave" && site.value(sim.base, "inregions") === "");
		await sim.crash();
		await until("the will", () => site.availability(sim.base) === "offline");
		assert.deepEqual(site.misfits, []);
	} finally {
		await sim.crash();
		await site.stop();
		await broker.stop();
	}
});

test("a command that the phone does not know is refused", () => {
	const tracks = new OwnTracks();
	tracks.hear(message("owntracks/r/p", LOCATION));
	assert.deepEqual(sent(tracks, "owntracks/r/p", "cmd", "dump"), ['owntracks/r/p/cmd {"_type":"cmd","action":"dump"}']);
	assert.throws(() => sent(tracks, "owntracks/r/p", "cmd", "explode"), { fault: "bad-value" });
	assert.throws(() => sent(tracks, "owntracks/r/p", "lat", 5), { fault: "not-writable" });
});

test("hear() endures noise", () => endures(() => new OwnTracks(), [message("owntracks/r/p", LOCATION), message("owntracks/r/p/status", { _type: "status", iOS: { a: 1 } }), message("owntracks/r/p", "RO,6553f100,t,45438400,-10991700,18,55,6,120,3"), message("owntracks/r/p", { _type: "lwt" })]));

import assert from "node:assert/strict";
import { test } from "node:test";
import { FrigateNvr } from "../../../firmware-sim/frigate-nvr.js";
import { Frigate } from "../../../src/south/conventions/frigate.js";
import { covers } from "../../../src/south/mqtt/pattern.js";
import { TestBroker, until } from "../../firmware-sim/broker.js";
import { endures } from "./fuzzed.js";
import { Listener } from "./on-a-broker.js";
import { message, readings, reasons, sent, statesOf, toldBy } from "./said.js";

test("topics of a camera", () => {
	const rows: readonly (readonly [string, string, Record<string, string | boolean>])[] = [
		["motion", "ON", { motion: true }], ["motion", "OFF", { motion: false }], ["person", "2", { person: "2" }], ["person/active", "1", { "person/active": "1" }], ["all", "3", { all: "3" }],
		["detect/state", "OFF", { detect: false }], ["motion/state", "ON", { "motion/state": true }], ["motion_threshold/state", "30", { motion_threshold: "30" }], ["birdseye_mode/state", "MOTION", { birdseye_mode: "MOTION" }],
		["audio/dBFS", "-42.5", { "audio/dBFS": "-42.5" }], ["audio/bark", "ON", { "audio/bark": true }], ["review_status", "ALERT", { review_status: "ALERT" }], ["status/detect", "online", { "status/detect": "online" }],
	];
	for (const [rest, payload, told] of rows) assert.deepEqual(readings(new Frigate().hear(message(`frigate/gate/${rest}`, payload))), told, rest);
	assert.deepEqual(toldBy(new Frigate().hear(message("frigate/gate/motion", "ON"))), { "frigate/gate motion": true });
});

test("an event is told of its camera, as it is now", () => {
	const after = { id: "1.2-a", camera: "yard", frame_time: 1_700_000_000.25, label: "cat", sub_label: ["Tom", 0.75], score: 0.5, top_score: 0.6, current_zones: [], entered_zones: ["lawn"], stationary: false, box: [1, 2], end_time: null };
	const meaning = new Frigate().hear(message("frigate/events", { type: "new", before: { ...after, score: 0 }, after }));
	assert.deepEqual(readings(meaning), {
		"events.type": "new", "events.after.id": "1.2-a", "events.after.label": "cat", "events.after.sub_label": "Tom", "events.after.score": "0.5", "events.after.top_score": "0.6", "events.after.stationary": false,
		"events.after.current_zones": "", "events.after.entered_zones": "lawn",
	});
	assert.ok(meaning?.told?.every(({ address, at }) => address === "frigate/yard" && at === 1_700_000_000_250));
	const review = new Frigate().hear(message("frigate/reviews", { type: "end", after: { id: "r", camera: "yard", severity: "alert", data: { objects: ["cat", "dog"], zones: [] } } }));
	assert.deepEqual(readings(review), { "reviews.type": "end", "reviews.after.id": "r", "reviews.after.severity": "alert", "reviews.after.data.objects": "cat,dog", "reviews.after.data.zones": "" });
	assert.deepEqual(readings(new Frigate().hear(message("frigate/tracked_object_update", { type: "lpr", id: "1", plate: "AB 12", score: 0.9, camera: "gate", timestamp: 1_700_000_000.5 }))), {
		"tracked_object_update.type": "lpr", "tracked_object_update.id": "1", "tracked_object_update.plate": "AB 12", "tracked_object_update.score": "0.9",
	});
});

test("the service's word holds for all cameras", () => {
	const frigate = new Frigate();
	frigate.hear(message("frigate/gate/motion", "OFF"));
	assert.deepEqual(statesOf(frigate.hear(message("frigate/available", "offline", true))), { "frigate/gate": "offline", frigate: "offline" });
	assert.deepEqual(statesOf(frigate.hear(message("frigate/available", "online", true))), { "frigate/gate": "online", frigate: "online" });
});

test("statistics are told of the service and of each camera", () => {
	const meaning = new Frigate().hear(message("frigate/stats", { cameras: { gate: { camera_fps: 5.5, detection_fps: 0, pid: 9 } }, detectors: { edge: { inference_speed: 9.5 } }, service: { uptime: 60, version: "0.15" }, cpu_usages: { "1": {} } }));
	assert.deepEqual(toldBy(meaning), { "frigate service.version": "0.15", "frigate service.uptime": "60", "frigate detectors.edge.inference_speed": "9.5", "frigate/gate camera_fps": "5.5", "frigate/gate detection_fps": "0" });
});

test("pictures, wishes and chatter tell nothing, and pictures are not even asked for", () => {
	for (const [topic, payload] of [["frigate/gate/detect/set", "ON"], ["frigate/gate/ptz", "MOVE_LEFT"], ["frigate/restart", "x"], ["frigate/onConnect", "x"], ["frigate/gate/person/snapshot", "\u0000\u0001"], ["frigate/camera_activity", "{}"], ["frigate/gate/person", ""]] as const) {
		assert.equal(new Frigate().hear(message(topic, payload))?.told, undefined, topic);
	}
	assert.ok(!new Frigate().filters().some((filter) => covers(filter, "frigate/gate/person/snapshot")));
	assert.match(reasons(new Frigate().hear(message("frigate/events", "[]"))).join(), /no object/);
	assert.match(reasons(new Frigate().hear(message("frigate/gate/person", "many"))).join(), /neither a number/);
	assert.equal(new Frigate().hear(message("other/gate/motion", "ON")), undefined);
});

test("what has a state topic can be set", () => {
	const frigate = new Frigate();
	frigate.hear(message("frigate/gate/recordings/state", "ON"));
	frigate.hear(message("frigate/gate/motion_contour_area/state", "10"));
	frigate.hear(message("frigate/gate/birdseye_mode/state", "MOTION"));
	assert.deepEqual(sent(frigate, "frigate/gate", "recordings", false), ["frigate/gate/recordings/set OFF"]);
	assert.deepEqual(sent(frigate, "frigate/gate", "motion_contour_area", 50), ["frigate/gate/motion_contour_area/set 50"]);
	assert.deepEqual(sent(frigate, "frigate/gate", "birdseye_mode", "OBJECTS"), ["frigate/gate/birdseye_mode/set OBJECTS"]);
	assert.throws(() => sent(frigate, "frigate/gate", "birdseye_mode", "ALL"), { fault: "bad-value" });
});

test("the simulated recorder obeys, tells of a visitor, and its will is heard", async () => {
	const broker = await TestBroker.start();
	const site = await Listener.start(broker.url, new Frigate());
	const sim = new FrigateNvr({ url: broker.url });
	try {
		await sim.start();
		await until("the service", () => site.availability("frigate") === "online" && site.value("frigate/yard", "detect") === "true" && site.value("frigate/gate", "camera_fps") === "5.1");
		await site.set("frigate/gate", "detect", false);
		await site.set("frigate/yard", "motion/state", false);
		await site.set("frigate/gate", "motion_threshold", 44);
		assert.deepEqual([sim.state.features["gate/detect"], sim.state.features["yard/motion"], sim.state.threshold], [false, false, 44]);
		sim.visit();
		await until("the visitor", () => site.value("frigate/gate", "person") === "1" && site.value("frigate/gate", "events.after.label") === "person" && site.value("frigate/gate", "motion") === "true");
		await sim.crash();
		await until("the will", () => site.availability("frigate/gate") === "offline");
		assert.deepEqual(site.misfits, []);
	} finally {
		await sim.crash();
		await site.stop();
		await broker.stop();
	}
});

test("hear() endures noise", () => endures(() => new Frigate(), [
	message("frigate/events", { type: "new", after: { camera: "a", label: "cat", score: 0.5, current_zones: ["x"] } }), message("frigate/stats", { cameras: { a: { camera_fps: 1 } }, service: { uptime: 1 } }), message("frigate/a/motion", "ON"), message("frigate/a/detect/state", "ON"), message("frigate/available", "online"),
]));

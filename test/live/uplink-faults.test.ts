import assert from "node:assert/strict";
import { test } from "node:test";
import { newGateway } from "./gateway-process.js";
import { startMosquitto } from "./servers/mosquitto.js";
import { freePort } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import { DOMAIN, missing, SECRET } from "./site.js";
import { uplinkFaults } from "./uplink-faults.js";

uplinkFaults("Prosody", startProsody);

test("a password that the broker refuses is told like that, and never shown", { skip: missing("mosquitto") }, async () => {
	const broker = await startMosquitto({ users: [{ name: "jidway", password: "right" }] });
	const gateway = await newGateway({
		uplink: { domain: DOMAIN, port: await freePort(), secret: SECRET }, more: { log: { level: "debug" } },
		links: [{ id: "farm", kind: "mqtt", url: broker.url, username: "jidway", password: "qzx-not-the-password" }],
	});
	try {
		const check = await gateway.cli("check", "--online");
		assert.equal(check.code, 1);
		assert.match(check.stdout, /^FAILED: link "farm": .*username:.*password:/m);
		assert.doesNotMatch(check.stdout + check.stderr, /qzx-/);
		await gateway.start();
		assert.match(String((await gateway.log(/^Link "farm" is down/))["reason"]), /username:.*password:/);
	} finally {
		await gateway.remove();
		await broker.stop();
	}
});

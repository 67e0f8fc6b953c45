import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ShellyPlug } from "../../firmware-sim/shelly-plug.js";
import { TestBroker, until } from "./broker.js";
import { FakeClock } from "./fake-clock.js";

let broker: TestBroker;
before(async () => void (broker = await TestBroker.start()));
const sims: ShellyPlug[] = [];
after(async () => {
	for (const sim of sims) await sim.crash();
	await broker.stop();
});

test("ShellyPlug answers requests where they say, and tells what changed", async () => {
	const plug = new ShellyPlug({ url: broker.url, prefix: "bench", clock: new FakeClock() });
	sims.push(plug);
	await plug.start();
	const rows: readonly (readonly [object, object])[] = [
		[{ id: "a", src: "me", method: "Shelly.GetDeviceInfo" }, { gen: 3, id: plug.id }],
		[{ id: 7, src: "me", method: "Switch.Set", params: { id: 0, on: true } }, { was_on: false }],
		[{ id: 8, src: "me", method: "Switch.Set", params: { id: 3, on: true } }, { code: -103 }],
		[{ id: 9, src: "me", method: "Nonsense.Do" }, { code: 404 }],
	];
	for (const [nth, [request, expected]] of rows.entries()) {
		await broker.send("bench/rpc", JSON.stringify(request));
		await until("the answer", () => broker.texts("me/rpc").length > nth);
		const answer = JSON.parse(broker.texts("me/rpc").at(-1)!);
		const { result, error } = answer;
		for (const [key, value] of Object.entries(expected)) assert.equal((result ?? error)[key], value);
		assert.equal(answer.id, "id" in request ? request.id : undefined);
	}
	assert.equal(plug.on, true);
	assert.match(broker.texts("bench/events/rpc").at(-1)!, /"method":"NotifyStatus".*"output":true/);
	await broker.send("bench/command/switch:0", "toggle");
	await until("it is off", () => /"output":false/.test(broker.texts("bench/status/switch:0").at(-1) ?? ""));
	await plug.crash();
	await until("the will", () => broker.texts("bench/online").at(-1) === "false");
});

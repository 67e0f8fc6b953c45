// Event subscriptions as clients send them, through a server, from an MQTT device to the event.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startProsody } from "./servers/prosody.js";
import { barrier, DOMAIN, introduce, missing, ROMEO, type Site, startSite, state, unexpected } from "./site.js";
import { findAll, login, type User, type Xml } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}/thing`;
const DIALECTS = [
	{ events: "urn:xmpp:iot:events", data: "urn:xmpp:iot:sensordata", id: "seqnr='7'", wish: "<field name='temperature' changedBy='0.5'/>", momentary: "momentary='true'", value: "value", last: /done='true'/ },
	{ events: "urn:nf:iot:events:1.0", data: "urn:nf:iot:sd:1.0", id: "id='7'", wish: "<f n='temperature' by='0.5'/>", momentary: "m='true'", value: "v", last: /^(?!.*more='true')/ },
] as const;

describe("event subscriptions", { skip: missing("prosody", "mosquitto") }, () => {
	let site: Site;
	before(async () => {
		site = await startSite(startProsody);
		await introduce(site, "room-1", state("21.50"));
	});
	after(async () => site?.end());

	const report = (temperature: string): Promise<unknown> => site.device.say("sensors/room-1/state", state(temperature));

	for (const { events, data, id, wish, momentary, value, last } of DIALECTS) {
		const event = async (user: User, temperature: string): Promise<Xml> => {
			const told = await user.next(`an event with ${temperature}`, ({ name, children }) => name === "message" && children.some(({ xmlns }) => xmlns === data));
			assert.equal(told.attrs["from"], DEVICE);
			assert.match(told.raw, last);
			assert.deepEqual([...findAll(told, "numeric"), ...findAll(told, "q")].map(({ attrs }) => attrs[value]), [temperature]);
			return told;
		};

		test(`${events}: accepted, the values of now, an event for each change that is large enough, and none after the end`, async () => {
			const user = await login(site.server, ROMEO, `desk-${data}`);
			await user.available();
			await report("21.50");
			const answer = await user.ask("get", DEVICE, `<subscribe xmlns='${events}' ${id} ${momentary} req='true'>${wish}</subscribe>`);
			assert.equal(answer.attrs["type"], "result");
			assert.deepEqual(answer.children.map(({ name, xmlns }) => [name, xmlns]), [["accepted", data]]);
			await event(user, "21.50");
			await report("21.70");
			await report("22.00");
			await event(user, "22.00");
			await report("21.60");
			await report("21.00");
			await event(user, "21.00");
			assert.equal((await user.ask("set", DEVICE, `<unsubscribe xmlns='${events}' ${id}/>`)).attrs["type"], "result");
			await report("30.00");
			await barrier(user);
			assert.deepEqual(unexpected(user).filter(({ name }) => name === "message"), []);
			await user.leave();
		});
	}

	test("urn:xmpp:iot:events: whoever leaves is told nothing, and what he missed when he is back under the same address", async () => {
		await report("21.00");
		let user = await login(site.server, ROMEO, "away");
		await user.available();
		await user.subscribe(`room-1@${DOMAIN}`);
		await user.ask("get", DEVICE, "<subscribe xmlns='urn:xmpp:iot:events' seqnr='8' momentary='true'><field name='temperature' changedBy='0.5'/></subscribe>");
		user.send(`<presence to='${DEVICE}'/>`); // directed: so his server says that he is gone
		await barrier(user);
		await user.leave();
		await report("25.00");
		await report("26.00");
		user = await login(site.server, ROMEO, "away");
		await user.available();
		const told = await user.next("what he missed", ({ name, children }) => name === "message" && children.some(({ name: each }) => each === "fields"));
		assert.match(told.raw, /seqnr='8'.*value='26.00'/);
		await user.leave();
	});
});

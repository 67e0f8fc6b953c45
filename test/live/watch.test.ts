// What somebody watches arrives, whatever is killed: over a real server, with clients that send receipts and clients that do not.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startProsody } from "./servers/prosody.js";
import { barrier, DOMAIN, introduce, JULIET, missing, ROMEO, type Site, startSite, state, unexpected } from "./site.js";
import { find, login, type User, type Xml } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}`;
const bodyOf = (message: Xml): string => find(message, "body")?.text ?? "";

describe("watch over Prosody", { skip: missing("prosody", "mosquitto") }, () => {
	let site: Site;
	let romeo: User;
	let juliet: User;
	before(async () => {
		site = await startSite(startProsody);
		await introduce(site, "room-1", state("21.50"));
		[romeo, juliet] = await Promise.all([login(site.server, ROMEO), login(site.server, JULIET, "balcony")]);
		await Promise.all([romeo, juliet].map((user) => user.available()));
	});
	after(async () => site?.end());

	const reports = (temperature: string): Promise<void> => site.device.say("sensors/room-1/state", state(temperature));
	const receipt = (user: User, message: Xml): void => user.send(`<message to='${DEVICE}' id='r-${message.attrs["id"]}' type='chat'><received xmlns='urn:xmpp:receipts' id='${message.attrs["id"]}'/></message>`);

	test("a change as large as was asked for comes as a message that asks for a receipt and is kept by the server", async () => {
		romeo.say(DEVICE, "watch temperature by 0,5 K");
		assert.match(bodyOf(await romeo.hear(DEVICE)), /^watching temperature by 0\.5 °C: .*\ntemperature 21\.50 °C/);
		juliet.say(DEVICE, "watch temperature");
		assert.match(bodyOf(await juliet.hear(DEVICE)), /^watching temperature: /);
		await reports("21.60");
		await reports("22.40");
		const heard = await romeo.hear(DEVICE, /temperature/);
		assert.match(bodyOf(heard), /^temperature 22\.40 °C \(was 21\.50/);
		assert.ok(find(heard, "request", "urn:xmpp:receipts") && find(heard, "store", "urn:xmpp:hints"), heard.raw);
		assert.equal(find(heard, "origin-id", "urn:xmpp:sid:0")?.attrs["id"], heard.attrs["id"]);
		receipt(romeo, heard);
		await juliet.hear(DEVICE, /temperature 22\.40/);
		await barrier(romeo);
	});

	test("after kill -9 an unacknowledged message comes again as the same one, and what the server of the receiver has does not", async () => {
		await reports("23.40");
		const [first] = await Promise.all([romeo.hear(DEVICE, /temperature 23\.40/), juliet.hear(DEVICE, /temperature 23\.40/)]);
		await Promise.all([romeo, juliet].map(barrier)); // Prosody has answered the ping behind Juliet's by then
		await site.gateway.kill();
		await site.gateway.start();
		const again = await romeo.hear(DEVICE, /temperature/);
		assert.deepEqual([again.attrs["id"], bodyOf(again)], [first.attrs["id"], bodyOf(first)]);
		receipt(romeo, again);
		await site.gateway.ready();
		await Promise.all([romeo, juliet].map(barrier));
		for (const user of [romeo, juliet]) assert.deepEqual(unexpected(user).filter(({ name }) => name === "message").map(({ raw }) => raw), []);
	});

	test("the watches have survived too, and end with unwatch", async () => {
		romeo.say(DEVICE, "watch");
		assert.match(bodyOf(await romeo.hear(DEVICE, /You watch/)), /\n {2}temperature by 0\.5 °C$/);
		romeo.say(DOMAIN, "room-1 unwatch temperature");
		assert.equal(bodyOf(await romeo.hear(DOMAIN)), "no longer watching temperature");
		await reports("24.40");
		assert.match(bodyOf(await juliet.hear(DEVICE)), /^temperature 24\.40 °C \(was 23\.40/);
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo).filter(({ name }) => name === "message").map(({ raw }) => raw), []);
	});
});

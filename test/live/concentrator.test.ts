// The concentrator as a client of somebody else sees it: discovery first, then the tree, a command, and events, through Prosody.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startProsody } from "./servers/prosody.js";
import { barrier, DOMAIN, introduce, JULIET, missing, ROMEO, type Site, startSite, state, TYBALT, unexpected } from "./site.js";
import { find, findAll, login, type User, type Xml } from "./xmpp-user.js";

const NS_INFO = "http://jabber.org/protocol/disco#info";
const N = "urn:nf:iot:concentrator:1.0";
const SRC = "src='MeteringTopology'";

describe("the concentrator on Prosody", { skip: missing("prosody", "mosquitto") }, () => {
	let site: Site;
	let romeo: User;
	let juliet: User;
	before(async () => {
		site = await startSite(startProsody);
		await Promise.all([introduce(site, "room-1", state("21.50")), introduce(site, "cellar", state("9.0"))]);
		[romeo, juliet] = await Promise.all([login(site.server, ROMEO), login(site.server, JULIET)]);
		await Promise.all([romeo, juliet].map((user) => user.available()));
	});
	after(async () => site?.end());

	const features = async (user: User, to: string): Promise<(string | undefined)[]> => findAll(await user.ask("get", to, `<query xmlns='${NS_INFO}'/>`), "feature").map(({ attrs }) => attrs["var"]);
	const nodes = async (user: User, operation = `getRootNodes ${SRC}`): Promise<readonly Xml[]> => findAll(await user.ask("get", DOMAIN, `<${operation} xmlns='${N}'/>`), "nodeInfo");
	const event = (user: User, name: string, id: string): Promise<Xml> => user.next(`${name} of ${id}`, (stanza) => stanza.name === "message" && find(stanza, name, N)?.attrs["id"] === id);
	const ids = (found: readonly Xml[]): (string | undefined)[] => found.map(({ attrs }) => attrs["id"]).sort();

	test("the gateway's address alone is one, and lists its devices to each as he may see them", async () => {
		const own = await features(romeo, DOMAIN);
		for (const feature of [N, "urn:nfi:iot:concentrator:1.0", "urn:ieee:iot:concentrator:1.0", "urn:xmpp:iot:concentrators"]) assert.ok(own.includes(feature), feature);
		assert.deepEqual((await features(romeo, `room-1@${DOMAIN}/thing`)).filter((feature) => feature?.includes("concentrator")), []);
		assert.deepEqual(ids(await nodes(romeo)), ["cellar", "room-1"]);
		assert.deepEqual(ids(await nodes(juliet)), ["room-1"]);
		const [room] = await nodes(juliet, "getNode id='room-1' parameters='true'");
		assert.deepEqual([room?.attrs["state"], room?.attrs["isReadable"], room?.attrs["isControllable"]], ["None", "true", "false"]);
		assert.equal(find(room!, "string")?.attrs["value"], `room-1@${DOMAIN}`);
		assert.ok(find(await juliet.ask("get", DOMAIN, `<getNode xmlns='${N}' id='cellar' ${SRC}/>`), "item-not-found"));
		const tybalt = await login(site.server, TYBALT);
		assert.ok(find(await tybalt.ask("get", DOMAIN, `<getCapabilities xmlns='${N}'/>`), "service-unavailable"));
		await tybalt.leave();
	});

	test("a node that is readable is read at the gateway's address", async () => {
		const answer = await romeo.ask("get", DOMAIN, `<req xmlns='urn:nf:iot:sd:1.0' id='r1' m='true'><nd id='room-1' ${SRC}/><f n='temperature'/></req>`);
		assert.equal(find(answer, "q")?.attrs["v"], "21.50");
	});

	test("a command of a node is done when the device says so; what cannot be is told in its form", async () => {
		const command = (content: string): string => `<executeNodeCommand xmlns='${N}' id='room-1' ${SRC} command='set'><x xmlns='jabber:x:data' type='submit'>${content}</x></executeNodeCommand>`;
		const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`;
		assert.equal(find(await romeo.ask("get", DOMAIN, `<getNodeCommands xmlns='${N}' id='room-1' ${SRC}/>`), "command")?.attrs["command"], "set");
		const form = await romeo.ask("get", DOMAIN, `<getCommandParameters xmlns='${N}' id='room-1' ${SRC} command='set'/>`);
		assert.deepEqual(findAll(form, "field").map(({ attrs }) => attrs["var"]), ["xdd session", "setpoint", "relay"]);
		const refused = await romeo.ask("set", DOMAIN, command(field("setpoint", "99")));
		assert.match(find(find(refused, "x")!, "error")?.text ?? "", /5 to 30/);
		const done = romeo.ask("set", DOMAIN, command(field("setpoint", "22.5")));
		assert.equal(await site.device.next(), "sensors/room-1/set {\"setpoint\":22.5}");
		await barrier(juliet);
		assert.deepEqual(unexpected(romeo).filter(({ name }) => name === "iq"), [], "not before the device has said so");
		await site.device.say("sensors/room-1/state", state("21.50", "22.5"));
		assert.equal((await done).attrs["type"], "result");
		const hers = await juliet.ask("set", DOMAIN, command(field("setpoint", "20")));
		assert.ok(find(hers, "not-allowed"), hers.raw);
		assert.doesNotMatch(hers.raw, /setpoint/, "she does not see that there is one");
	});

	test("a subscriber is told when a device goes and comes, and of a new one, as far as he may see them", async () => {
		for (const user of [romeo, juliet]) assert.equal((await user.ask("set", DOMAIN, `<subscribe xmlns='${N}' ${SRC} ttl='60' messages='true'/>`)).attrs["type"], "result");
		await site.device.say("sensors/cellar/online", "0");
		assert.equal(find(await event(romeo, "nodeStatusChanged", "cellar"), "nodeStatusChanged")?.attrs["state"], "ErrorUnsigned");
		await site.device.say("sensors/room-1/online", "0");
		for (const user of [romeo, juliet]) assert.equal(find(await event(user, "nodeStatusChanged", "room-1"), "nodeStatusChanged")?.attrs["state"], "ErrorUnsigned");
		await site.device.say("sensors/attic/state", state("30.0"));
		assert.equal((await event(romeo, "nodeAdded", "attic")).attrs["from"], DOMAIN);
		await site.device.say("sensors/room-2/state", state("20.0"));
		await event(juliet, "nodeAdded", "room-2");
		assert.deepEqual(unexpected(juliet).filter(({ raw }) => /cellar|attic/.test(raw)), []);
		assert.equal((await romeo.ask("set", DOMAIN, `<unsubscribe xmlns='${N}' ${SRC}/>`)).attrs["type"], "result");
		await barrier(romeo);
		while (unexpected(romeo).length > 0) await romeo.next("what was on its way", ({ attrs }) => attrs["from"] === DOMAIN);
		await site.device.say("sensors/room-1/online", "1");
		await event(juliet, "nodeStatusChanged", "room-1");
		await barrier(romeo);
		assert.deepEqual(unexpected(romeo), []);
	});
});

// The main job from end to end, the same on every server: a device on a broker of somebody else, people on a server of somebody else.
// Longer than most files: it is one story, in which each test begins where the last one ended.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import type { XmppServer, XmppServerOptions } from "./servers/server.js";
import { barrier, DOMAIN, introduce, JULIET, PARIS, ROMEO, SAMPSON, type Site, startSite, state, TYBALT, unexpected } from "./site.js";
import { escape, find, findAll, login, type User, type Xml } from "./xmpp-user.js";

const DEVICE = `room-1@${DOMAIN}`;
const THING = `${DEVICE}/thing`;
const NS_INFO = "http://jabber.org/protocol/disco#info";
const NS_CAPS = "http://jabber.org/protocol/caps";
const NEURO = ["urn:nf", "urn:nfi", "urn:ieee"] as const;
const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

/** Declares the tests. */
export function mainPath(name: string, startServer: (options: XmppServerOptions) => Promise<XmppServer>, skip: string | false): void {
	describe(`the main path on ${name}`, { skip }, () => {
		let site: Site;
		let romeo: User;
		let juliet: User;
		let tybalt: User;
		before(async () => {
			site = await startSite(startServer);
			await introduce(site, "room-1", state("21.50"));
			[romeo, juliet, tybalt] = await Promise.all([login(site.server, ROMEO), login(site.server, JULIET, "balcony"), login(site.server, TYBALT)]);
			await Promise.all([romeo, juliet, tybalt].map((user) => user.available()));
		});
		after(async () => site?.end());

		/** A command came to the device; nobody has been told yet that it is done. */
		async function commandOf(user: User, payload: string): Promise<void> {
			assert.equal(await site.device.next(), `sensors/room-1/set ${payload}`);
			await barrier(user);
		}
		const noAnswerYet = (user: User): void => assert.deepEqual(unexpected(user).filter(({ name }) => name === "iq").map(({ raw }) => raw), []);

		test("a subscription is answered with \"subscribed\", then with the presence of /thing: caps, and the last values as status", async () => {
			const presence = await romeo.subscribe(DEVICE);
			assert.equal(presence.attrs["from"], THING);
			assert.equal(presence.attrs["type"], undefined);
			assert.equal(find(presence, "show"), undefined);
			const status = find(presence, "status")?.text ?? "";
			assert.match(status, /21\.50 °C/);
			assert.match(status, /20\.0 °C/);
			assert.equal(find(presence, "c", NS_CAPS)?.attrs["hash"], "sha-1");
			assert.deepEqual(unexpected(romeo), []);
		});

		test("who may see one point reads no other in any stanza", async () => {
			const presence = await juliet.subscribe(DEVICE);
			assert.equal(find(presence, "status")?.text, "21.50 °C");
			const fields = await readout(juliet, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='3' all='true'/>");
			// The present value, and whatever the journal has of it.
			assert.deepEqual([...new Set(findAll(fields, "timestamp").flatMap(({ children }) => children.map(({ attrs }) => attrs["name"])))], ["temperature"]);
			for (const line of ["status", "read", "help"]) {
				juliet.say(DEVICE, line);
				assert.doesNotMatch((await juliet.hear(DEVICE)).raw, /setpoint|relay|note|20\.0|n7/, line);
			}
			const form = await juliet.ask("get", THING, "<getForm xmlns='urn:xmpp:iot:control'/>");
			assert.equal(form.attrs["type"], "error");
			assert.doesNotMatch(form.raw, /setpoint|relay|note/);
			// A point that he may not see does not exist; one that he may only see is forbidden.
			const setUnseen = await juliet.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='23'/></set>");
			assert.ok(find(setUnseen, "item-not-found"), setUnseen.raw);
			const setSeen = await juliet.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><double name='temperature' value='23'/></set>");
			assert.ok(find(setSeen, "forbidden"), setSeen.raw);
			assert.deepEqual(site.device.heard, []);
		});

		test("a new reading comes as presence, to each with what he may see", async () => {
			await site.device.say("sensors/room-1/state", state("21.75"));
			assert.match(find(await romeo.presence(THING, /21\.75/), "status")?.text ?? "", /21\.75 °C.*20\.0 °C/);
			assert.equal(find(await juliet.presence(THING, /21\.75/), "status")?.text, "21.75 °C");
		});

		test("an explicit offline is told within 10 s with a status, and taken back by online", async () => {
			await site.device.say("sensors/room-1/online", "0");
			const gone = await romeo.presence(THING, /unavailable/);
			assert.equal(gone.attrs["type"], "unavailable");
			assert.ok((find(gone, "status")?.text ?? "") !== "");
			// What cannot be done is said at once, and nothing is sent to the device.
			const refused = await romeo.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set>");
			assert.ok(find(refused, "recipient-unavailable"), refused.raw);
			assert.deepEqual(site.device.heard, []);
			await site.device.say("sensors/room-1/online", "1");
			assert.equal((await romeo.presence(THING)).attrs["type"], undefined);
			await juliet.presence(THING, /21\.75 °C/);
		});

		test("the caps hash is the SHA-1 of what disco#info says (XEP-0115 §5)", async () => {
			romeo.send(`<presence type='subscribe' to='${DEVICE}'/>`); // asked again: told again (and "subscribed", which his server keeps to itself)
			const presence = await romeo.presence(THING);
			const c = find(presence, "c", NS_CAPS);
			assert.ok(c);
			const query = find(await romeo.ask("get", THING, `<query xmlns='${NS_INFO}' node='${escape(`${c.attrs["node"]}#${c.attrs["ver"]}`)}'/>`), "query", NS_INFO);
			assert.ok(query);
			assert.equal(verOf(query), c.attrs["ver"]);
			const plain = find(await romeo.ask("get", THING, `<query xmlns='${NS_INFO}'/>`), "query", NS_INFO);
			assert.ok(plain);
			assert.equal(verOf(plain), c.attrs["ver"]);
			const features = findAll(plain, "feature").map(({ attrs }) => attrs["var"]);
			for (const feature of ["urn:xmpp:iot:sensordata", "urn:xmpp:iot:control", "urn:nf:iot:sd:1.0", "urn:nf:iot:ctr:1.0", "urn:xmpp:ping", "urn:xmpp:receipts"]) assert.ok(features.includes(feature), feature);
		});

		test("chat: \"read\" is answered with the device's own digits, and with a receipt", async () => {
			const id = romeo.say(DEVICE, "read temperature", "<request xmlns='urn:xmpp:receipts'/>");
			const receipt = await romeo.next("a receipt", (stanza) => find(stanza, "received", "urn:xmpp:receipts")?.attrs["id"] === id);
			assert.equal(receipt.attrs["from"], DEVICE);
			assert.match(find(await romeo.hear(DEVICE), "body")?.text ?? "", /^temperature: 21\.75 °C \(\d+ s ago\)/);
		});

		test("chat: \"set\" reaches the device, is pending until the device says so itself, and then the pending message is corrected (XEP-0308)", async () => {
			romeo.say(DEVICE, "set setpoint 22,5 C");
			await commandOf(romeo, "{\"setpoint\":22.5}");
			const pending = await romeo.hear(DEVICE, /^setting setpoint to 22\.5 °C/);
			await site.device.say("sensors/room-1/state", state("21.75", "20.0")); // of another moment: confirms nothing
			await barrier(romeo);
			assert.deepEqual(unexpected(romeo).filter((stanza) => find(stanza, "body")), []);
			await site.device.say("sensors/room-1/state", state("21.75", "22.5"));
			const done = await romeo.hear(DEVICE, /^✓ setpoint is 22\.5 °C/);
			assert.equal(find(done, "replace", "urn:xmpp:message-correct:0")?.attrs["id"], pending.attrs["id"]);
		});

		test("readout in both vocabularies and all URNs: accepted first, digits and UTC times, done", async () => {
			const fields = await readout(romeo, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='7' momentary='1'/>");
			assert.equal(find(fields, "node")?.attrs["nodeId"], "room-1");
			const numeric = findAll(fields, "numeric").map(({ attrs: { name, value, unit, momentary, writable } }) => ({ name, value, unit, momentary, writable }));
			assert.deepEqual(numeric, [
				{ name: "temperature", value: "21.75", unit: "°C", momentary: "true", writable: undefined },
				{ name: "setpoint", value: "22.5", unit: "°C", momentary: "true", writable: "true" },
			]);
			assert.deepEqual(find(fields, "boolean")?.attrs["value"], "false");
			assert.match(find(fields, "timestamp")?.attrs["value"] ?? "", ISO_UTC);
			for (const urn of NEURO) {
				const answer = await romeo.ask("get", THING, `<req xmlns='${urn}:iot:sd:1.0' id='a-${urn}' m='true'><f n='Temperature'/></req>`);
				const resp = find(answer, "resp", `${urn}:iot:sd:1.0`) ?? assert.fail(answer.raw);
				assert.equal(resp.attrs["id"], `a-${urn}`);
				assert.equal(resp.attrs["more"], undefined);
				assert.match(find(resp, "ts")?.attrs["v"] ?? "", ISO_UTC);
				assert.deepEqual(findAll(resp, "q").map(({ attrs: { n, v, u } }) => [n, v, u]), [["temperature", "21.75", "°C"]]);
			}
			const unknown = await romeo.ask("get", THING, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='8' momentary='true'><node nodeId='nowhere'/></req>");
			assert.ok(find(unknown, "item-not-found"), unknown.raw);
			await barrier(romeo);
			assert.deepEqual(unexpected(romeo).filter(({ name }) => name !== "presence"), []);
		});

		test("a readout in 2 s: accepted as queued, then started, then the values; a cancelled one says nothing (T4, T5)", async () => {
			const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
			const accepted = await romeo.ask("get", THING, `<req xmlns='urn:xmpp:iot:sensordata' seqnr='40' momentary='true' when='${at(2_000)}'/>`);
			assert.equal(find(accepted, "accepted")?.attrs["queued"], "true", accepted.raw);
			await romeo.ask("get", THING, `<req xmlns='urn:xmpp:iot:sensordata' seqnr='41' momentary='true' when='${at(1_000)}'/>`);
			const cancelled = await romeo.ask("get", THING, "<cancel xmlns='urn:xmpp:iot:sensordata' seqnr='41'/>");
			assert.equal(find(cancelled, "cancelled")?.attrs["seqnr"], "41", cancelled.raw);
			const parts = [await romeo.next("a part", ({ name }) => name === "message"), await romeo.next("a part", ({ name }) => name === "message")].map(({ children }) => children[0]);
			assert.deepEqual(parts.map((part) => [part?.name, part?.attrs["seqnr"], part?.attrs["done"]]), [["started", "40", undefined], ["fields", "40", "true"]]);
		});

		test("control in both vocabularies: answered when the device has reported it, and not before", async () => {
			const rows: [string, string, string, string, string][] = [
				["<set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='23.5'/></set>", "setResponse", "{\"setpoint\":23.5}", "23.5", "urn:xmpp:iot:control"],
				["<set xmlns='urn:xmpp:iot:control'><x xmlns='jabber:x:data' type='submit'><field var='xdd session'><value>1</value></field><field var='Setpoint'><value>24.0</value></field></x></set>", "setResponse", "{\"setpoint\":24.0}", "24.0", "urn:xmpp:iot:control"],
				...NEURO.map((urn, index): [string, string, string, string, string] => [`<set xmlns='${urn}:iot:ctr:1.0'><db n='setpoint' v='1${index}.0'/></set>`, "resp", `{"setpoint":1${index}.0}`, `1${index}.0`, `${urn}:iot:ctr:1.0`]),
			];
			for (const [payload, answer, wanted, setpoint, xmlns] of rows) {
				const answered = romeo.ask("set", THING, payload);
				await commandOf(romeo, wanted);
				noAnswerYet(romeo);
				await site.device.say("sensors/room-1/state", state("21.75", setpoint));
				const reply = await answered;
				assert.equal(reply.attrs["type"], "result", reply.raw);
				assert.ok(find(reply, answer, xmlns), reply.raw);
				if (answer === "setResponse") assert.equal(find(reply, answer)?.attrs["responseCode"], "OK");
			}
		});

		test("control that the device does not confirm is a timeout, what it does otherwise is not acceptable, what cannot be never reaches it", async () => {
			const silent = romeo.ask("set", THING, "<set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set>");
			await commandOf(romeo, "{\"relay\":true}");
			const timeout = await silent;
			assert.ok(find(timeout, "remote-server-timeout"), timeout.raw);
			const rows: [string, string][] = [
				["<double name='setpoint' value='31'/>", "bad-request"],
				["<string name='setpoint' value='hot'/>", "bad-request"],
				["<double name='nothing' value='1'/>", "item-not-found"],
				["<double name='temperature' value='1'/>", "not-allowed"],
				["<double name='setpoint' value='21'/><double name='setpoint' value='99'/>", "bad-request"],
			];
			for (const [parameter, condition] of rows) {
				const reply = await romeo.ask("set", THING, `<set xmlns='urn:xmpp:iot:control'>${parameter}</set>`);
				assert.ok(find(reply, condition, "urn:ietf:params:xml:ns:xmpp-stanzas"), `${parameter}: ${reply.raw}`);
			}
			assert.equal(site.device.heard.at(-1), "sensors/room-1/set {\"relay\":true}");
		});

		test("the same request delivered twice is executed once", async () => {
			const raw = `<iq type='set' id='twice' to='${THING}'><set xmlns='urn:xmpp:iot:control'><double name='setpoint' value='18.5'/></set></iq>`;
			romeo.send(raw + raw);
			await commandOf(romeo, "{\"setpoint\":18.5}");
			const before = site.device.heard.length;
			await site.device.say("sensors/room-1/state", state("21.75", "18.5"));
			for (let count = 0; count < 2; count++) await romeo.next("an answer", ({ attrs }) => attrs["id"] === "twice" && attrs["type"] === "result");
			assert.equal(site.device.heard.length, before);
		});

		test("a form of what can be set, bare in the result, with range and present value (getForm)", async () => {
			for (const xmlns of ["urn:xmpp:iot:control", "urn:nf:iot:ctr:1.0"]) {
				const x = (await romeo.ask("get", THING, `<getForm xmlns='${xmlns}'/>`)).children[0];
				assert.equal(x?.name, "x");
				const field = findAll(x, "field").find(({ attrs }) => attrs["var"] === "setpoint") ?? assert.fail(x.raw);
				assert.equal(find(field, "value")?.text, "18.5");
				assert.deepEqual([...field.raw.matchAll(/\b(min|max)=['"]([^'"]+)/g)].map(([, key, value]) => `${key} ${value}`).sort(), ["max 30", "min 5"]);
			}
		});

		test("a stranger is told the same of a device that exists and of one that does not, byte for byte, and no stanza of his has an effect", async () => {
			const heard = site.device.heard.length;
			const strangers = [tybalt, await login(site.server, PARIS), await login(site.server, SAMPSON)];
			const payloads = [
				`<query xmlns='${NS_INFO}'/>`, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:version'/>", "<time xmlns='urn:xmpp:time'/>",
				"<query xmlns='jabber:iq:last'/>", "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:register'/>", "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub>",
				"<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'/>", "<req xmlns='urn:xmpp:iot:sensordata' seqnr='x'/>", "<cancel xmlns='urn:xmpp:iot:sensordata' seqnr='1'/>", ...NEURO.map((urn) => `<req xmlns='${urn}:iot:sd:1.0' id='1' m='true'/>`),
				"<getForm xmlns='urn:xmpp:iot:control'/>", "<set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set>", ...NEURO.map((urn) => `<set xmlns='${urn}:iot:ctr:1.0'><b n='relay' v='true'/></set>`), "<nothing xmlns='urn:example:unknown'/>",
			];
			// Each form of address by another stranger: one alone would come to the limit on questions.
			const answersOf = (id: string): Promise<string[]> => Promise.all(["", "/thing", "/other"].flatMap((resource, index) => (["get", "set"] as const).flatMap((type) => payloads.map(async (payload) => {
				return (await strangers[index]!.ask(type, `${id}@${DOMAIN}${resource}`, payload)).raw.replaceAll(id, "ID").replace(/ask-\d+/, "ASK");
			}))));
			const existing = await answersOf("room-1");
			const unknown = await answersOf("room-9");
			assert.equal(existing.length, payloads.length * 6);
			assert.deepEqual(existing, unknown);
			for (const answer of existing) assert.match(answer, /<service-unavailable/);

			for (const id of ["room-1", "room-9"]) {
				const to = `${id}@${DOMAIN}`;
				tybalt.send(`<presence type='subscribe' to='${to}'/><presence type='probe' to='${to}'/><presence to='${to}/thing'/><presence type='unsubscribe' to='${to}'/>`);
				tybalt.say(to, "set relay on", "<request xmlns='urn:xmpp:receipts'/>");
				tybalt.say(`${to}/thing`, "status");
				tybalt.send(`<message to='${to}'><set xmlns='urn:xmpp:iot:control'><boolean name='relay' value='true'/></set></message><message type='groupchat' to='${to}'><body>hi</body></message>`);
			}
			await barrier(tybalt);
			assert.deepEqual(unexpected(tybalt).map(({ raw }) => raw), []);
			assert.equal(site.device.heard.length, heard);
		});

		test("the list of devices has exactly what the asker may see", async () => {
			await site.device.say("sensors/cellar/state", state("9.9"));
			await site.gateway.log(/Found "cellar"/);
			const items = async (user: User): Promise<(string | undefined)[]> => findAll(await user.ask("get", DOMAIN, "<query xmlns='http://jabber.org/protocol/disco#items'/>"), "item").map(({ attrs }) => attrs["jid"]);
			assert.deepEqual(await items(romeo), [`cellar@${DOMAIN}`, DEVICE]);
			assert.deepEqual(await items(juliet), [DEVICE]);
			assert.deepEqual(await items(tybalt), []);
		});

		test("SIGTERM: every subscriber gets unavailable; after the start presence comes back by itself, subscriptions and values have survived", async () => {
			await Promise.all([romeo, juliet].map(forgetPresence));
			await site.gateway.stop();
			for (const user of [romeo, juliet]) assert.match((await user.presence(THING)).raw, /type=['"]unavailable['"]/);
			await site.gateway.start();
			await site.gateway.ready();
			romeo.say(DEVICE, "read temperature");
			assert.match(find(await romeo.hear(DEVICE), "body")?.text ?? "", /21\.75 °C/);
			await site.device.say("sensors/room-1/state", state("22.25", "18.5"));
			assert.match((await romeo.presence(THING, /22\.25/)).raw, /22\.25 °C/);
			assert.equal(find(await juliet.presence(THING, /22\.25/), "status")?.text, "22.25 °C");
		});

		test("kill -9: the new gateway tells every subscriber how it is, without being asked", async () => {
			await Promise.all([romeo, juliet].map(forgetPresence));
			await site.gateway.kill();
			assert.deepEqual(unexpected(romeo).filter(({ attrs }) => attrs["type"] === "unavailable"), []);
			await site.gateway.start();
			await site.gateway.ready();
			// It has not heard of the device, and does not claim to.
			assert.match((await romeo.presence(THING, /unavailable/)).raw, /not heard from yet|its link/);
			await site.device.say("sensors/room-1/state", state("22.50", "18.5"));
			await romeo.presence(THING, /22\.50 °C/);
			await juliet.presence(THING, /22\.50 °C/);
		});

		test("the command line sees the same devices, and commands through the same path", async () => {
			const rows = JSON.parse((await site.gateway.cli("devices", "--json")).stdout) as { id: string; jid: string; availability: string }[];
			assert.deepEqual(rows.map(({ id, jid, availability }) => [id, jid, availability]), [["cellar", `cellar@${DOMAIN}`, "unknown"], ["room-1", DEVICE, "online"]]);
			const set = site.gateway.cli("set", "room-1", "setpoint", "19.5");
			assert.equal(await site.device.next(20_000), "sensors/room-1/set {\"setpoint\":19.5}");
			await site.device.say("sensors/room-1/state", state("22.50", "19.5"));
			const { code, stdout } = await set;
			assert.equal(code, 0, stdout);
			assert.match(stdout, /19\.5/);
		});

		test("unsubscribe: unavailable, and nothing more after it", async () => {
			await forgetPresence(juliet);
			juliet.send(`<presence type='unsubscribe' to='${DEVICE}'/>`);
			assert.equal((await juliet.presence(THING, /unavailable/)).attrs["type"], "unavailable");
			await site.device.say("sensors/room-1/online", "0");
			await romeo.presence(THING, /unavailable/);
			await barrier(juliet);
			assert.deepEqual(unexpected(juliet), []);
		});
	});
}

/** Lets everything that is on its way arrive, and takes all presence. */
async function forgetPresence(user: User): Promise<void> {
	await barrier(user);
	while (user.unread.some(({ name }) => name === "presence")) await user.next("a presence", ({ name }) => name === "presence");
}

/** A whole readout in XEP-0323: `accepted` comes first, then one message that is done. */
async function readout(user: User, payload: string): Promise<Xml> {
	const seqnr = /seqnr='(\d+)'/.exec(payload)?.[1];
	const accepted = await user.ask("get", THING, payload);
	assert.deepEqual([find(accepted, "accepted")?.attrs["seqnr"], find(accepted, "accepted")?.attrs["queued"]], [seqnr, "false"], accepted.raw);
	const message = await user.next("the fields", (stanza) => find(stanza, "fields")?.attrs["seqnr"] === seqnr);
	assert.equal(message.attrs["to"], user.full);
	const fields = find(message, "fields", "urn:xmpp:iot:sensordata") ?? assert.fail(message.raw);
	assert.equal(fields.attrs["done"], "true");
	return fields;
}

/** The verification string of XEP-0115 §5.1, for an answer without forms. */
function verOf(query: Xml): string {
	const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
	assert.equal(find(query, "x", "jabber:x:data"), undefined);
	const parts = [
		...findAll(query, "identity").map(({ attrs }) => `${attrs["category"]}/${attrs["type"]}/${attrs["xml:lang"] ?? ""}/${attrs["name"] ?? ""}`).sort(byBytes),
		...findAll(query, "feature").map(({ attrs }) => attrs["var"] ?? "").sort(byBytes),
	];
	return createHash("sha1").update(parts.map((part) => `${part}<`).join("")).digest("base64");
}

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { verOf } from "../../src/north/caps.js";
import type { XepModule } from "../../src/north/module.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import type { Element } from "../../src/xmpp/xml.js";
import { DOMAIN, iq, MemoryStore, PUMP, WEATHER } from "./harness.js";
import { type Wing, wing } from "./wing.js";

const ALICE = "alice@example.org/desk";
const INFO = "http://jabber.org/protocol/disco#info";
const ITEMS = "http://jabber.org/protocol/disco#items";

async function query(h: Wing, who: string, to: string, xmlns: string, node?: string, content = ""): Promise<Element> {
	const [reply = ""] = await h.ask(iq("get", who, to, `<query xmlns='${xmlns}'${node === undefined ? "" : ` node='${node}'`}>${content}</query>`));
	return parseStanza(reply);
}

/** XEP-0115 §5.1, written again from what a client receives. */
function hashOf(info: Element): string {
	const identities = info.elements().filter(({ name }) => name === "identity").map(({ attrs }) => `${attrs["category"]}/${attrs["type"]}/${attrs["xml:lang"] ?? ""}/${attrs["name"] ?? ""}`);
	const features = info.elements().filter(({ name }) => name === "feature").map(({ attrs }) => attrs["var"] ?? "");
	assert.equal(new Set(features).size, features.length, "no feature twice");
	const text = [...identities.sort(), ...features.sort()].map((part) => `${part}<`).join("");
	return createHash("sha1").update(text).digest("base64");
}

test("verOf() hashes as XEP-0115 §5.2 and as other implementations do", () => {
	// [category/type, name, features, hash]
	const rows = [
		["client/pc", "Exodus 0.9.1", ["http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/muc", "http://jabber.org/protocol/caps"], "QgayPKawpkPSDYmwT/WM94uAlu0="],
		["client/bot", "Boiler sensor", ["urn:xmpp:ping", "urn:xmpp:iot:sensordata", "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps"], "DeneT+WxjJLt9mdFGur8iZe5fjk="],
	] as const;
	for (const [kind, name, features, hash] of rows) {
		const [category = "", type = ""] = kind.split("/");
		assert.equal(verOf({ identities: [{ category, type, name }], features }), hash);
	}
});

test("verOf() sorts by bytes, not by UTF-16 units", () => {
	const ver = (features: readonly string[]): string => verOf({ identities: [], features });
	assert.equal(ver(["\u{1f600}", "\uff5e"]), createHash("sha1").update("\uff5e<\u{1f600}<").digest("base64"));
});

test("G6: disco#info at node#ver, at any address of the device, echoes the node and hashes to the ver of its presence", async () => {
	const h = wing({ store: new MemoryStore({ device: "weather", contact: "alice@example.org", from: true }) });
	await h.report("weather", { temperature: "21.5" });
	const c = parseStanza(h.take()[0] ?? "").child("c");
	const { node, ver, hash } = c?.attrs ?? {};
	assert.equal(hash, "sha-1");
	assert.match(ver ?? "", /^[A-Za-z0-9+/]{27}=$/);
	for (const to of [`weather@${DOMAIN}`, `weather@${DOMAIN}/thing`, `weather@${DOMAIN}/other`]) {
		for (const asked of [`${node}#${ver}`, undefined]) {
			const info = (await query(h, ALICE, to, INFO, asked)).child("query", INFO);
			assert.equal(info?.attrs["node"], asked);
			assert.equal(hashOf(info!), ver);
		}
	}
});

test("G6: devices of one class share one ver, and the gateway's own hashes too", async () => {
	const control: XepModule = { features: { writableDevice: ["urn:xmpp:iot:control"] } };
	const h = wing({ devices: { a: WEATHER, b: {}, c: PUMP, d: PUMP } }, {}, [control]);
	const vers: string[] = [];
	for (const local of ["a@", "b@", "c@", "d@", ""]) {
		const info = (await query(h, ALICE, `${local}${DOMAIN}`, INFO)).child("query", INFO)!;
		vers.push(hashOf(info));
		assert.deepEqual(info.child("identity")?.attrs, local === "" ? { category: "component", type: "generic", name: "Greenhouse" } : { category: "client", type: "bot", name: "IoT device" });
		assert.equal(info.elements().some(({ attrs }) => attrs["var"] === "urn:xmpp:iot:control"), ["c@", "d@"].includes(local));
	}
	assert.equal(vers[0], vers[1]);
	assert.equal(vers[2], vers[3]);
	assert.equal(new Set(vers).size, 3);
});

test("G8: disco#items at the gateway: nothing for a stranger, exactly the visible devices for everybody else", async () => {
	const h = wing({ devices: { "pump-1": { name: "Pump <1>", points: PUMP }, "weather": WEATHER, "boiler 1": PUMP } });
	const items = async (who: string): Promise<unknown[]> => (await query(h, who, DOMAIN, ITEMS)).child("query", ITEMS)!.elements().map(({ attrs }) => attrs);
	assert.deepEqual(await items("mallory@evil.example/x"), []);
	assert.deepEqual(await items("bob@partner.example/x"), [{ jid: `weather@${DOMAIN}`, name: "weather" }]);
	assert.deepEqual(await items("oscar@ops.example.org/x"), [{ jid: `pump-1@${DOMAIN}`, name: "Pump <1>" }]);
	assert.deepEqual(await items(ALICE), [{ jid: `boiler\\201@${DOMAIN}`, name: "boiler 1" }, { jid: `pump-1@${DOMAIN}`, name: "Pump <1>" }, { jid: `weather@${DOMAIN}`, name: "weather" }]);
});

test("disco#items at a device is empty", async () => {
	assert.deepEqual((await query(wing(), ALICE, `weather@${DOMAIN}`, ITEMS)).child("query", ITEMS)?.children, []);
});

test("G9: an unknown node is item-not-found", async () => {
	const h = wing();
	for (const xmlns of [INFO, ITEMS]) {
		for (const to of [`weather@${DOMAIN}`, DOMAIN]) {
			for (const node of ["nonsense", "", "constructor", `https://${DOMAIN}/caps#AAAAAAAAAAAAAAAAAAAAAAAAAAA=`]) {
				assert.ok((await query(h, ALICE, to, xmlns, node)).child("error")?.child("item-not-found"), `${xmlns} ${to} ${node}`);
			}
		}
	}
});

test("a module's node is found by who is let in, and not by a stranger", async () => {
	const commands: XepModule = {
		node: ({ to }, node) => (node === "commands" ? { identities: [{ category: "automation", type: "command-list", name: "Commands" }], features: ["a:b"], items: [{ jid: to, node: "set", name: "Set" }] } : undefined),
	};
	const h = wing({}, {}, [commands]);
	assert.equal(String((await query(h, ALICE, DOMAIN, ITEMS, "commands")).child("query")), `<query xmlns='${ITEMS}' node='commands'><item jid='${DOMAIN}' node='set' name='Set'/></query>`);
	assert.equal(String((await query(h, ALICE, `weather@${DOMAIN}`, INFO, "commands")).child("query")), `<query xmlns='${INFO}' node='commands'><identity category='automation' type='command-list' name='Commands'/><feature var='a:b'/></query>`);
	assert.ok((await query(h, "mallory@evil.example/x", DOMAIN, ITEMS, "commands")).child("error")?.child("item-not-found"));
});

test("more than 200 devices come in pages, forwards and backwards, each once", async () => {
	const RSM = "http://jabber.org/protocol/rsm";
	const ids = Array.from({ length: 450 }, (_, n) => `d${String(n).padStart(3, "0")}`);
	const h = wing({ devices: Object.fromEntries(ids.map((id) => [id, WEATHER])) });
	const ask = async (content: string): Promise<{ jids: (string | undefined)[]; set: Element | undefined }> => {
		const reply = (await query(h, ALICE, DOMAIN, ITEMS, undefined, content)).child("query", ITEMS);
		return { jids: reply!.elements().filter(({ name }) => name === "item").map(({ attrs }) => attrs["jid"]), set: reply?.child("set", RSM) };
	};
	const jids = ids.map((id) => `${id}@${DOMAIN}`);
	const first = await ask("");
	assert.deepEqual(first.jids, jids.slice(0, 200));
	assert.equal(String(first.set), `<set xmlns='${RSM}'><first index='0'>${jids[0]}</first><last>${jids[199]}</last><count>450</count></set>`);
	const forwards: (string | undefined)[] = [];
	for (let after: string | undefined = ""; after !== undefined;) {
		const { jids: page, set }: Awaited<ReturnType<typeof ask>> = await ask(`<set xmlns='${RSM}'><max>70</max><after>${after}</after></set>`);
		forwards.push(...page);
		after = set?.child("last")?.text();
	}
	assert.deepEqual(forwards, jids);
	assert.deepEqual((await ask(`<set xmlns='${RSM}'><max>3</max><before/></set>`)).jids, jids.slice(-3));
	assert.deepEqual((await ask(`<set xmlns='${RSM}'><max>3</max><before>${jids[2]}</before></set>`)).jids, jids.slice(0, 2));
	assert.deepEqual(await ask(`<set xmlns='${RSM}'><max>0</max></set>`).then(({ jids: page, set }) => [page, String(set)]), [[], `<set xmlns='${RSM}'><count>450</count></set>`]);
	assert.equal((await ask(`<set xmlns='${RSM}'><max>100000</max></set>`)).jids.length, 200);
	for (const [content, condition] of [["<max>-1</max>", "bad-request"], ["<max>many</max>", "bad-request"], ["<after>gone</after>", "item-not-found"], ["<before>gone</before>", "item-not-found"]] as const) {
		assert.ok((await query(h, ALICE, DOMAIN, ITEMS, undefined, `<set xmlns='${RSM}'>${content}</set>`)).child("error")?.child(condition), content);
	}
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { bare, domainpart, escapeLocal, formatJid, localpart, parseJid, resourcepart, sameBare, sameJid, unescapeLocal } from "../../src/xmpp/jid.js";
import { Chance, RUNS } from "../fakes/fuzz.js";

/** [written, normalised] */
const ADDRESSES = [
	["romeo@example.org", "romeo@example.org"],
	["Romeo@Example.ORG/Orchard", "romeo@example.org/Orchard"],
	["example.org", "example.org"],
	["example.org.", "example.org"],
	["example.org/r", "example.org/r"],
	["lamp-1@things.example.org/thing", "lamp-1@things.example.org/thing"],
	["boiler\\201@gw.example.org", "boiler\\201@gw.example.org"],
	["a@b/c@d/e", "a@b/c@d/e"],
	["a@b/mit Leerzeichen", "a@b/mit Leerzeichen"],
	["Ku\u0308che@example.org", "küche@example.org"],
	["ÄRGER@BÜCHER.example", "ärger@bücher.example"],
	["a#+%=?!$*()~^|{}@b", "a#+%=?!$*()~^|{}@b"],
	["a@[2001:DB8::1]/x", "a@[2001:db8::1]/x"],
	["a@127.0.0.1", "a@127.0.0.1"],
	[`${"l".repeat(1023)}@b`, `${"l".repeat(1023)}@b`],
] as const;

for (const [written, normalised] of ADDRESSES) {
	test(`parseJid() reads ${written.slice(0, 40)}`, () => {
		const jid = parseJid(written);
		assert.ok(jid);
		assert.equal(formatJid(jid), normalised);
		assert.deepEqual(parseJid(normalised), jid);
	});
}

/** [what, text] */
const NO_ADDRESSES = [
	["nothing", ""], ["no localpart", "@b"], ["no domain", "a@"], ["no domain before a resource", "a@/r"], ["an empty resource", "a@b/"],
	["a second @", "a@b@c"], ["a space in the localpart", "a b@c"], ["a space in the domain", "a@b c"], ["a space before", " a@b"],
	['a "', 'a"@b'], ["a &", "a&b@c"], ["a '", "a'@b"], ["a :", "a:b@c"], ["a <", "a<@b"], ["a >", "a>@b"],
	["a control character", "a\u0001@b"], ["a NUL in the resource", "a@b/\u0000"], ["a line end in the domain", "a@b\n"],
	["a zero-width space", "a\u200b@b"], ["a right-to-left override", "a\u202eb@c"], ["a no-break space", "a\u00a0@b"], ["a lone surrogate", "a\ud800@b"],
	["an empty label", "a@b..c"], ["a leading dot", "a@.b"], ["a port", "a@b:5222"], ["a domain with _ < and '", "a@b'<_"], ["a broken IPv6 address", "a@[::1"],
	["a localpart of 1024 bytes", `${"l".repeat(1024)}@b`], ["a localpart of 1024 bytes in 512 characters", `${"é".repeat(512)}@b`],
	["a domain of 1024 bytes", `a@${"d.".repeat(511)}dd`], ["a resource of 1024 bytes", `a@b/${"r".repeat(1024)}`], ["a megabyte", "a".repeat(1_000_000)],
] as const;

for (const [what, text] of NO_ADDRESSES) {
	test(`parseJid() refuses ${what}`, () => assert.equal(parseJid(text), undefined));
}

test("parseJid() gives for any text nothing or an address that it gives again", () => {
	const chance = new Chance(2);
	const alphabet = [..."aA0-.@/\\ é\u0130ß\u212aÅ\u0308\u200d😀\u0000\ud800[:]"];
	for (let run = 0; run < RUNS; run++) {
		const jid = parseJid(Array.from({ length: 1 + chance.int(12) }, () => chance.pick(alphabet)).join(""));
		if (jid !== undefined) assert.deepEqual(parseJid(formatJid(jid)), jid);
	}
});

test("bare(), localpart(), domainpart() and resourcepart() cut an address", () => {
	const full = "lamp@things.example.org/a@b/c";
	assert.deepEqual([bare(full), localpart(full), domainpart(full), resourcepart(full)], ["lamp@things.example.org", "lamp", "things.example.org", "a@b/c"]);
	const domain = "things.example.org/a@b";
	assert.deepEqual([bare(domain), localpart(domain), domainpart(domain), resourcepart(domain)], ["things.example.org", "", "things.example.org", "a@b"]);
	assert.equal(resourcepart("a@b"), "");
});

test("sameBare() compares whole bare addresses, however written", () => {
	assert.equal(sameBare("Alice@Example.org/phone", "alice@example.org"), true);
	assert.equal(sameBare("alice@example.org", "alice@evil.example"), false);
	assert.equal(sameBare("alice@example.org", "example.org"), false);
	assert.equal(sameBare("", ""), false);
	assert.equal(sameJid("a@b/R", "A@B/R"), true);
	assert.equal(sameJid("a@b/R", "a@b/r"), false);
});

/** [id, localpart, the id read back]; XEP-0106 §5.1 and the ids of real devices */
const ESCAPED = [
	["zigbee2mqtt/0x00158D", "zigbee2mqtt\\2f0x00158d", "zigbee2mqtt/0x00158d"],
	["boiler 1", "boiler\\201", "boiler 1"],
	["space cadet", "space\\20cadet", "space cadet"],
	['call me "ishmael"', "call\\20me\\20\\22ishmael\\22", 'call me "ishmael"'],
	["at&t guy", "at\\26t\\20guy", "at&t guy"],
	["d'artagnan", "d\\27artagnan", "d'artagnan"],
	["/.fanboy", "\\2f.fanboy", "/.fanboy"],
	["::foo::", "\\3a\\3afoo\\3a\\3a", "::foo::"],
	["<foo>", "\\3cfoo\\3e", "<foo>"],
	["user@host", "user\\40host", "user@host"],
	["c:\\net", "c\\3a\\net", "c:\\net"],
	["c:\\\\net", "c\\3a\\\\net", "c:\\\\net"],
	["c:\\cool stuff", "c\\3a\\cool\\20stuff", "c:\\cool stuff"],
	["c:\\5commas", "c\\3a\\5c5commas", "c:\\5commas"],
	["c:\\2foo", "c\\3a\\5c2foo", "c:\\2foo"],
	["\\2F", "\\5c2f", "\\2f"],
	["\\ ", "\\", "\\"],
	[" a ", "a", "a"],
	["a#b+c", "a#b+c", "a#b+c"],
] as const;

for (const [id, local, back] of ESCAPED) {
	test(`escapeLocal() makes ${JSON.stringify(id)} the localpart ${local}, and unescapeLocal() reads it back`, () => {
		assert.equal(escapeLocal(id), local);
		assert.equal(unescapeLocal(local), back);
		assert.equal(parseJid(`${local}@b`)?.local, local);
	});
}

for (const id of ["", "   ", "a\u0000b", "a\nb", "a\ud800", "x".repeat(1024), " ".repeat(10) + "/".repeat(342)]) {
	test(`escapeLocal() has no localpart for ${JSON.stringify(id.slice(0, 20))} of ${id.length}`, () => assert.equal(escapeLocal(id), undefined));
}

test("unescapeLocal() undoes escapeLocal() for any id, and no two ids share a localpart", () => {
	const chance = new Chance(3);
	const alphabet = [..."ab\\ \"&'/:<>@025c7f"];
	for (let run = 0; run < RUNS; run++) {
		const id = `a${Array.from({ length: chance.int(10) }, () => chance.pick(alphabet)).join("")}z`;
		const local = escapeLocal(id);
		assert.ok(local !== undefined);
		assert.equal(unescapeLocal(local), id);
	}
});

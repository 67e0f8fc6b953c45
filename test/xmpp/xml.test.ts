import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStanza } from "../../src/xmpp/parser.js";
import { Element, escapeAttr, escapeText, xml } from "../../src/xmpp/xml.js";
import { Chance, RUNS } from "../fakes/fuzz.js";

/** [what, text, as text, as attribute value] */
const ESCAPES = [
	["nothing special", "21.5 °C", "21.5 °C", "21.5 °C"],
	["the five of XML", `<&>'"`, "&lt;&amp;&gt;&apos;&quot;", "&lt;&amp;&gt;&apos;&quot;"],
	["TAB and LF", "a\tb\nc", "a\tb\nc", "a&#9;b&#10;c"],
	["CR", "a\rb", "a&#13;b", "a&#13;b"],
	["C0 controls", "a\u0000\u0008\u000b\u000c\u001fb", "ab", "ab"],
	["DEL and C1, which XML 1.0 carries", "a\u007f\u0085b", "a\u007f\u0085b", "a\u007f\u0085b"],
	["no characters", "a\ufffe\uffffb", "ab", "ab"],
	["a lone high surrogate", "a\ud83db", "a\ufffdb", "a\ufffdb"],
	["a lone low surrogate at the end", "a\ude00", "a\ufffd", "a\ufffd"],
	["a pair", "😀", "😀", "😀"],
	["surrogates that meet when a control between them is dropped", "\ud83d\u0001\ude00", "😀", "😀"],
] as const;

for (const [what, text, asText, asAttribute] of ESCAPES) {
	test(`escapeText() and escapeAttr() write ${what}`, () => {
		assert.equal(escapeText(text), asText);
		assert.equal(escapeAttr(text), asAttribute);
	});
}

test("whatever xml() is given, toString() gives one stanza that can be parsed and printed again unchanged", () => {
	const chance = new Chance(1);
	const noise = (): string => Array.from({ length: chance.int(12) }, () => String.fromCharCode(chance.pick([chance.int(128), chance.int(0x10000), 0xd800 + chance.int(0x800)]))).join("");
	for (let run = 0; run < RUNS; run++) {
		const text = xml("message", { id: noise() }, xml("body", {}, noise()), noise(), xml("x", { xmlns: `urn:${chance.int(3)}` }, xml("y", { a: noise() }))).toString();
		assert.equal(parseStanza(text).toString(), text.replace("<body></body>", "<body/>"));
	}
});

test("toString() writes xmlns only where it differs from the parent's", () => {
	const query = xml("query", { xmlns: "urn:a", node: "n" }, xml("item", { jid: "a" }), xml("x", { xmlns: "urn:b" }, xml("field")), xml("item", { xmlns: "urn:a" }));
	assert.equal(xml("iq", { type: "result", id: undefined }, query, undefined).toString(),
		"<iq type='result'><query xmlns='urn:a' node='n'><item jid='a'/><x xmlns='urn:b'><field/></x><item/></query></iq>");
});

test("an element without xmlns has that of its parent, built and parsed alike", () => {
	const built = xml("iq", {}, xml("query", { xmlns: "urn:a" }, xml("group", {}, xml("item"))));
	for (const iq of [built, parseStanza(built.toString())]) {
		const query = iq.child("query", "urn:a");
		const item = query?.child("group", "urn:a")?.child("item", "urn:a");
		assert.deepEqual([iq.xmlns, query?.xmlns, item?.xmlns], ["", "urn:a", "urn:a"]);
		assert.equal(query?.child("group", ""), undefined);
		assert.equal(iq.child("query", "urn:b"), undefined);
		assert.equal(item?.toString(), "<item xmlns='urn:a'/>");
	}
});

test("one part may be built into parents of different namespaces", () => {
	const value = xml("value", {}, "1");
	const a = xml("a", { xmlns: "urn:a" }, value);
	const b = xml("b", { xmlns: "urn:b" }, value);
	assert.equal(xml("message", {}, a, b).toString(), "<message><a xmlns='urn:a'><value>1</value></a><b xmlns='urn:b'><value>1</value></b></message>");
	assert.equal(value.xmlns, "");
});

test("a parsed element keeps its namespace in a new parent", () => {
	const item = parseStanza("<iq><query xmlns='urn:a'><item/></query></iq>").child("query")?.child("item");
	assert.equal(xml("x", { xmlns: "urn:b" }, item).toString(), "<x xmlns='urn:b'><item xmlns='urn:a'/></x>");
});

test("toString() leaves out attributes whose prefix was declared elsewhere, and keeps xml:lang", () => {
	const stanza = parseStanza("<message xmlns:q='urn:q' q:a='1' xml:lang='de'><body q:b='2'>x</body></message>");
	assert.equal(stanza.toString(), "<message xml:lang='de'><body>x</body></message>");
	assert.equal(stanza.attrs["q:a"], "1");
});

test("text() is the text directly inside, elements() what is between", () => {
	const element = xml("a", {}, "1", xml("b", {}, "no"), "2");
	assert.equal(element.text(), "12");
	assert.deepEqual(element.elements().map(({ name }) => name), ["b"]);
	assert.ok(element.child("b") instanceof Element);
	assert.equal(element.child("c"), undefined);
});

for (const name of ["", "a b", "a>", "1a", "x:y", "a'"]) {
	test(`xml() refuses the names "${name}"`, () => {
		assert.throws(() => xml(name), TypeError);
		assert.throws(() => xml("a", { [name]: "1" }), TypeError);
	});
}

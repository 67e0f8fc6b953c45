import assert from "node:assert/strict";
import { test } from "node:test";
import { XmppError } from "../../src/xmpp/error.js";
import { NS_STREAMS, type ParserLimits, parseStanza, StreamParser } from "../../src/xmpp/parser.js";
import { Chance, mutate, RUNS } from "../fakes/fuzz.js";

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='${NS_STREAMS}' from='gw.plant.example' id='a&amp;1'>`;

/** Everything that comes out of the pieces, as text; the fault last. */
function parse(pieces: readonly Uint8Array[], limits: Partial<ParserLimits> = {}): string[] {
	const told: string[] = [];
	const parser = new StreamParser({
		open: ({ namespace, attrs }) => told.push(`open ${namespace} ${attrs["id"]}`),
		stanza: (stanza) => told.push(stanza.toString()),
		close: () => told.push("close"),
	}, limits);
	try {
		for (const piece of pieces) parser.push(piece);
	} catch (error) {
		assert.ok(error instanceof XmppError, String(error));
		told.push(error.condition);
	}
	return told;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** [what, after the header, stanzas as printed] */
const STREAMS = [
	["stanzas with spaces between", " \n<presence/>\r\n <message id='1'/> ", ["<presence/>", "<message id='1'/>"]],
	["characters of two, three and four bytes", "<message><body>21 °C ≥ 😀</body></message>", ["<message><body>21 °C ≥ 😀</body></message>"]],
	["the five entities and character references", "<a b='&quot;&apos;'>&lt;&amp;&gt;&#176;&#x1F600;</a>", ["<a b='&quot;&apos;'>&lt;&amp;&gt;°😀</a>"]],
	["CDATA, as text", "<a>1<![CDATA[<2>]]>3</a>", ["<a>1&lt;2&gt;3</a>"]],
	["line ends in a text, normalised", "<a>1\r\n2\r3</a>", ["<a>1\n2\n3</a>"]],
	["the stream's namespace, dropped", "<iq xmlns='jabber:component:accept'><q xmlns='urn:q'><r xmlns='jabber:component:accept'/></q></iq>", ["<iq><q xmlns='urn:q'><r xmlns=''/></q></iq>"]],
	["another stanza namespace, kept", "<message xmlns='jabber:client'><body/></message>", ["<message xmlns='jabber:client'><body/></message>"]],
	["prefixes, resolved", "<x xmlns='jabber:x:data' xmlns:xdv='urn:v'><field><xdv:validate datatype='xs:int'><xdv:basic/></xdv:validate></field></x>",
		["<x xmlns='jabber:x:data'><field><validate xmlns='urn:v' datatype='xs:int'><basic/></validate></field></x>"]],
	["xml:lang, kept", "<message xml:lang='de'><body xml:lang='en'/></message>", ["<message xml:lang='de'><body xml:lang='en'/></message>"]],
	["the stream's own elements", "<stream:error><conflict xmlns='urn:c'/></stream:error>", [`<error xmlns='${NS_STREAMS}'><conflict xmlns='urn:c'/></error>`]],
	["names of Object's own", "<a __proto__='1' constructor='2'/>", ["<a constructor='2'/>"]],
] as const;

for (const [what, text, stanzas] of STREAMS) {
	test(`StreamParser reads ${what}, the same wherever the stream is cut`, () => {
		const whole = bytes(`${HEADER}${text}</stream:stream>`);
		const wanted = ["open jabber:component:accept a&1", ...stanzas, "close"];
		assert.deepEqual(parse([whole]), wanted);
		for (let cut = 0; cut <= whole.length; cut++) assert.deepEqual(parse([whole.subarray(0, cut), whole.subarray(cut)]), wanted, `cut at ${cut}`);
		assert.deepEqual(parse([...whole].map((byte) => Uint8Array.of(byte))), wanted, "byte by byte");
	});
}

/** [what, after the header, condition] */
const FAULTS = [
	["an undefined entity", "<message><body>&foo;</body></message>", "not-well-formed"],
	["an undefined entity in an attribute", "<message id='&foo;'/>", "not-well-formed"],
	["a doctype inside the stream", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "not-well-formed"],
	["a comment", "<a><!-- b --></a>", "restricted-xml"],
	["a processing instruction", "<a><?b c?></a>", "restricted-xml"],
	["a second XML declaration", "<?xml version='1.0'?><a/>", "not-well-formed"],
	["a control character", "<a>\u0001</a>", "not-well-formed"],
	["a control character as a reference", "<a>&#1;</a>", "not-well-formed"],
	["a NUL in an attribute", "<a b='\u0000'/>", "not-well-formed"],
	["U+FFFF", "<a>\uffff</a>", "not-well-formed"],
	["a lone surrogate as a reference", "<a>&#xD800;</a>", "not-well-formed"],
	["a doubled attribute", "<a b='1' b='2'/>", "not-well-formed"],
	["an attribute doubled by namespace", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "not-well-formed"],
	["an undeclared prefix", "<p:a/>", "not-well-formed"],
	["an attribute without quotation marks", "<a b=1/>", "not-well-formed"],
	["a wrong end tag", "<a><b></a></b>", "not-well-formed"],
	["a prefix without a name", "<p: xmlns:p='u'/>", "not-well-formed"],
	["a prefix before a digit", "<p:1 xmlns:p='u'/>", "not-well-formed"],
	["text between stanzas", "<a/>b<a/>", "bad-format"],
	["an element too deep", "<a>".repeat(65), "policy-violation"],
	["too many elements", `<a>${"<b/>".repeat(10_000)}</a>`, "policy-violation"],
	["too many attributes", `<a ${Array.from({ length: 101 }, (_, n) => `b${n}=''`).join(" ")}/>`, "policy-violation"],
] as const;

for (const [what, text, condition] of FAULTS) {
	test(`StreamParser refuses ${what} with ${condition}, after the stanza before it`, () => {
		assert.deepEqual(parse([bytes(`${HEADER}<presence/>${text}<presence/>`)]), ["open jabber:component:accept a&1", "<presence/>", ...(what === "text between stanzas" ? ["<a/>"] : []), condition]);
	});
}

/** [what, the beginning, condition] */
const BEGINNINGS = [
	["a doctype with entities in entities", "<!DOCTYPE a [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><a>&b;</a>", "restricted-xml"],
	["another root", "<html><body/></html>", "invalid-namespace"],
	["a stream of another namespace", "<stream:stream xmlns:stream='urn:x'>", "invalid-namespace"],
	["no XML", "HTTP/1.1 400 Bad Request\r\n\r\n", "not-well-formed"],
	["another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "unsupported-encoding"],
	["a header without end", `<stream:stream a='${"x".repeat(300_000)}`, "policy-violation"],
	["a doctype without end", `<!DOCTYPE a [${"<!-- x -->".repeat(30_000)}`, "policy-violation"],
] as const;

for (const [what, text, condition] of BEGINNINGS) {
	test(`StreamParser refuses a stream that begins with ${what}`, () => assert.deepEqual(parse([bytes(text)]), [condition]));
}

test("StreamParser tells a fault again and again, and nothing after it", () => {
	const parser = new StreamParser({ open: () => undefined, stanza: () => assert.fail("no stanza is left"), close: () => assert.fail("not closed") });
	assert.throws(() => parser.push(bytes(`${HEADER}<a>&foo;</a>`)), XmppError);
	assert.throws(() => parser.push(bytes("<presence/></stream:stream>")), XmppError);
});

test("StreamParser lets through what a handler throws", () => {
	const parser = new StreamParser({ open: () => undefined, stanza: () => { throw new RangeError("a bug"); }, close: () => undefined });
	assert.throws(() => parser.push(bytes(`${HEADER}<a/>`)), new RangeError("a bug"));
});

test("a stanza of the limit passes and one byte more does not, wherever they are cut", () => {
	const stanza = (size: number): Uint8Array => bytes(`<a>${"°".repeat((size - 8) / 2)}${"x".repeat(size % 2)}</a> `);
	const exact = stanza(10_001).subarray(0, -1);
	assert.equal(exact.length, 10_000);
	for (const piece of [7, 1448, 4096, 100_000]) {
		const cut = (all: Uint8Array): Uint8Array[] => Array.from({ length: Math.ceil(all.length / piece) }, (_, n) => all.subarray(n * piece, (n + 1) * piece));
		assert.equal(parse(cut(Buffer.concat([bytes(HEADER), exact, exact])), { stanzaBytes: 10_000 }).length, 3, `pieces of ${piece}`);
		assert.deepEqual(parse(cut(Buffer.concat([bytes(HEADER), exact, stanza(10_002)])), { stanzaBytes: 10_000 }).slice(2), ["policy-violation"], `pieces of ${piece}`);
	}
});

test("a body of 16 MB in packets is cut off at the limit", () => {
	const packet = Buffer.alloc(1448, "x");
	let taken = 0;
	const parser = new StreamParser({ open: () => undefined, stanza: () => undefined, close: () => undefined });
	parser.push(bytes(`${HEADER}<message><body>`));
	assert.throws(() => {
		for (; taken < 16_000_000; taken += packet.length) parser.push(packet);
	}, (error) => error instanceof XmppError && error.condition === "policy-violation");
	assert.ok(taken <= 256 * 1024);
});

/** [what, the beginning of a stanza, what is repeated, the end] */
const LONG = [
	["text", "<message><body>", "x".repeat(1448), "</body></message>"],
	["text with references and line ends", "<message><body>", "&lt;&#176;\r\n".repeat(120), "</body></message>"],
	["elements", "<message>", "<a b='c'/>".repeat(144), "</message>"],
	["an attribute", "<message id='", "x".repeat(1448), "'/>"],
] as const;

for (const [what, begin, repeated, end] of LONG) {
	test(`the time for a stanza of much ${what} grows with its size, not with its square`, () => {
		const time = (megabytes: number): number => {
			const parser = new StreamParser({ open: () => undefined, stanza: () => undefined, close: () => undefined }, { stanzaBytes: 1e9, elements: 1e9 });
			const packet = bytes(repeated);
			const began = process.cpuUsage().user; // of this process alone: the machine may have other work
			parser.push(bytes(HEADER + begin));
			for (let taken = 0; taken < megabytes * 1e6; taken += packet.length) parser.push(packet);
			parser.push(bytes(end));
			return process.cpuUsage().user - began;
		};
		time(0.5);
		// In turns, so that a slow spell of the machine meets both; the least of each is what the work itself costs. As many small
		// ones as make a large one: one collection of garbage more or less is then no matter. Linear is 1, quadratic 4.
		let [small, large] = [Infinity, Infinity];
		for (let turn = 0; turn < 3; turn++) {
			small = Math.min(small, time(0.5) + time(0.5) + time(0.5) + time(0.5));
			large = Math.min(large, time(2));
		}
		assert.ok(large / small < 2, `2 MB took ${(large / small).toFixed(2)} times as long as four of 0.5 MB`);
	});
}

test("200 000 stanzas and a million spaces leave nothing behind", () => {
	let stanzas = 0;
	const parser = new StreamParser({ open: () => undefined, stanza: () => { stanzas += 1; }, close: () => undefined });
	parser.push(bytes(HEADER));
	const batch = Buffer.from("<message from='a@b.example' to='pump@gw.plant.example' id='1'><body>21.5 °C</body><x xmlns='urn:x'/></message>".repeat(1000));
	const half = Math.floor(batch.length / 2);
	const feed = (batches: number): number => {
		for (let n = 0; n < batches; n++) {
			parser.push(batch.subarray(0, half));
			parser.push(batch.subarray(half));
			for (let space = 0; space < 5; space++) parser.push(Buffer.alloc(1000, " "));
		}
		return process.memoryUsage().heapUsed;
	};
	// Without --expose-gc the heap is sampled: its lowest of several moments is what is really held.
	const lowest = (): number => Math.min(...Array.from({ length: 10 }, () => feed(10)));
	const before = lowest();
	const after = lowest();
	assert.equal(stanzas, 200_000);
	assert.ok(after - before < 8e6, `${Math.round((after - before) / 1000)} kB more after the second 100 000 stanzas`);
});

test("40 MB of keep-alive space without a stanza leave nothing behind", () => {
	const parser = new StreamParser({ open: () => undefined, stanza: () => undefined, close: () => undefined });
	parser.push(bytes(`${HEADER}<a/>`));
	const spaces = Buffer.alloc(4096, " ");
	const lowest = (): number => Math.min(...Array.from({ length: 10 }, () => {
		for (let n = 0; n < 500; n++) parser.push(spaces);
		return process.memoryUsage().heapUsed;
	}));
	const before = lowest();
	lowest();
	assert.ok(lowest() - before < 8e6);
});

test("keep-alive spaces do not count towards the limit", () => {
	const spaces = Buffer.alloc(5000, " \n");
	assert.deepEqual(parse([bytes(`${HEADER}<a/> `), ...Array.from({ length: 100 }, () => spaces), bytes("<b/>")], { stanzaBytes: 1000 }).slice(1), ["<a/>", "<b/>"]);
});

test("damaged streams give stanzas or an XmppError, nothing else, and what is printed can be parsed", () => {
	const chance = new Chance(4);
	const seeds = STREAMS.map(([, text]) => bytes(`${HEADER}${text}<iq type='get' id='1' from='a@b/c' to='d@e'><query xmlns='jabber:iq:version'/></iq></stream:stream>`));
	for (let run = 0; run < RUNS; run++) {
		const damaged = mutate(chance, chance.pick(seeds));
		const cut = chance.int(damaged.length + 1);
		const told = parse([damaged.subarray(0, cut), damaged.subarray(cut)]);
		assert.deepEqual(parse([damaged]), told, "cut and uncut alike");
		for (const stanza of told.filter((each) => each.startsWith("<"))) {
			const again = parseStanza(stanza).toString(); // differs where the damaged header gave stanzas another namespace
			assert.equal(parseStanza(again).toString(), again);
		}
	}
});

test("parseStanza() takes exactly one stanza", () => {
	assert.equal(parseStanza(" <presence/> ").name, "presence");
	for (const text of ["", "x", "<a/><b/>", "<a>", "</stream:stream><a/>"]) assert.throws(() => parseStanza(text), XmppError, text);
});

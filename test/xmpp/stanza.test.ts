import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStanza } from "../../src/xmpp/parser.js";
import { errorElement, errorReply, isRequest, payloadOf, readError, resultReply } from "../../src/xmpp/stanza.js";
import { xml } from "../../src/xmpp/xml.js";

const ask = parseStanza("<iq type='get' id='7' from='ops@corp.example/pc' to='boiler1@gw.plant.example' xml:lang='en'><req xmlns='urn:xmpp:iot:sensordata' seqnr='7'/></iq>");

/** [stanza, does it ask] */
const REQUESTS = [
	["<iq type='get'/>", true], ["<iq type='set'/>", true], ["<iq type='result'/>", false], ["<iq type='error'/>", false], ["<iq/>", false],
	["<message type='get'/>", false], ["<presence type='set'/>", false],
] as const;

for (const [text, asks] of REQUESTS) {
	test(`isRequest() is ${asks} for ${text}`, () => assert.equal(isRequest(parseStanza(text)), asks));
}

test("resultReply() answers from the address that was asked, bare stays bare, to the full JID that asked", () => {
	assert.equal(resultReply(ask, xml("accepted", { xmlns: "urn:x" })).toString(),
		"<iq type='result' to='ops@corp.example/pc' from='boiler1@gw.plant.example' id='7'><accepted xmlns='urn:x'/></iq>");
	assert.equal(resultReply(parseStanza("<iq type='get'/>")).toString(), "<iq type='result'/>");
});

test("errorReply() puts application elements before <error/>", () => {
	const rejected = xml("rejected", { xmlns: "urn:xmpp:iot:sensordata", seqnr: "7" }, xml("error", {}, "Access denied."));
	assert.equal(errorReply(ask, "cancel", "forbidden", "no <role>", rejected).toString(),
		"<iq type='error' to='ops@corp.example/pc' from='boiler1@gw.plant.example' id='7'>"
		+ "<rejected xmlns='urn:xmpp:iot:sensordata' seqnr='7'><error>Access denied.</error></rejected>"
		+ "<error type='cancel'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no &lt;role&gt;</text></error></iq>");
});

test("errorReply() of a message is a message, and without a text has none", () => {
	assert.equal(errorReply(parseStanza("<message from='a@b' to='c@d'><body/></message>"), "wait", "policy-violation").toString(),
		"<message type='error' to='a@b' from='c@d'><error type='wait'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
});

test("errorElement() puts an application's condition after the defined one", () => {
	assert.equal(errorElement("modify", "bad-request", undefined, xml("bad-action", { xmlns: "http://jabber.org/protocol/commands" })).toString(),
		"<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><bad-action xmlns='http://jabber.org/protocol/commands'/></error>");
});

test("readError() reads what errorReply() says, and has an answer for nonsense", () => {
	assert.deepEqual(readError(errorReply(ask, "wait", "remote-server-timeout", "late")), { type: "wait", condition: "remote-server-timeout", text: "late" });
	for (const text of ["<iq type='error'/>", "<iq type='error'><error type='x'><forbidden xmlns='urn:evil'/></error></iq>"]) {
		assert.deepEqual(readError(parseStanza(text)), { type: "cancel", condition: "undefined-condition", text: "" });
	}
});

test("payloadOf() is the one element of a request, and nothing if there are more or none", () => {
	assert.equal(payloadOf(ask)?.name, "req");
	assert.equal(payloadOf(parseStanza("<iq> <a/> </iq>"))?.name, "a");
	assert.equal(payloadOf(parseStanza("<iq><a/><b/></iq>")), undefined);
	assert.equal(payloadOf(parseStanza("<iq>text</iq>")), undefined);
});

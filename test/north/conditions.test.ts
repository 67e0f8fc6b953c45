import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { CONDITION_OF, refuse } from "../../src/north/conditions.js";
import { CONDITIONS } from "../../src/xmpp/stanza.js";
import { xml } from "../../src/xmpp/xml.js";

test("each fault has a condition of RFC 6120, and what may pass is of type wait", () => {
	for (const [fault, [type, condition]] of Object.entries(CONDITION_OF)) {
		assert.ok(CONDITIONS.includes(condition), fault);
		assert.equal(type === "wait", /^(busy|device-(offline|timeout)|link-down|bad-(frame|payload)|store-failed)$/.test(fault), fault);
	}
});

test("refuse() cuts a text that may be an echo of what was sent", () => {
	const reply = String(refuse(xml("iq", { from: "a@b", to: "c@d", id: "1" }), new GatewayError("bad-value", "x".repeat(5_000))));
	assert.ok(reply.length < 900, String(reply.length));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/core/errors.js";
import { booleanFrom, buildForm, type Form, parseSubmission, singleValue } from "../../src/north/forms.js";
import { parseStanza } from "../../src/xmpp/parser.js";

const X = "<x xmlns='jabber:x:data'";

test("buildForm() writes every part in the order of its schema", () => {
	const rows: readonly (readonly [Form, string])[] = [
		[{ type: "form", fields: [] }, `${X} type='form'/>`],
		[{ type: "form", title: "T", instructions: "I", formType: "urn:example", fields: [] },
			`${X} type='form'><title>T</title><instructions>I</instructions><field var='FORM_TYPE' type='hidden'><value>urn:example</value></field></x>`],
		[{ type: "result", fields: [{ type: "fixed", values: ["a < b"] }] }, `${X} type='result'><field type='fixed'><value>a &lt; b</value></field></x>`],
		[{ type: "form", pages: [{ label: "P", fields: ["a", "b"] }], fields: [] },
			`${X} type='form'><page xmlns='http://jabber.org/protocol/xdata-layout' label='P'><fieldref var='a'/><fieldref var='b'/></page></x>`],
		[{ type: "form", fields: [{ var: "v", type: "list-single", label: "L", desc: "D", required: true, values: ["1"], options: [{ value: "1", label: "one" }, { value: "2" }] }] },
			`${X} type='form'><field var='v' type='list-single' label='L'><desc>D</desc><required/><value>1</value><option label='one'><value>1</value></option><option><value>2</value></option></field></x>`],
		[{ type: "form", fields: [{ var: "v", type: "text-single", validate: { datatype: "xs:int", min: "1" }, notSame: true, readOnly: true, error: "E" }] },
			`${X} type='form'><field var='v' type='text-single'><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:int'><range min='1'/></validate>`
			+ "<readOnly xmlns='urn:xmpp:xdata:dynamic'/><notSame xmlns='urn:xmpp:xdata:dynamic'/><error xmlns='urn:xmpp:xdata:dynamic'>E</error></field></x>"],
	];
	for (const [form, text] of rows) assert.equal(buildForm(form).toString(), text);
});

function parse(type: string, fields: string): ReturnType<typeof parseSubmission> {
	return parseSubmission(parseStanza(`${X} type='${type}'>${fields}</x>`));
}

test("parseSubmission() gives values in order, and counts a field without one as not submitted", () => {
	const submission = parse("submit", "<field var='a'><value>1</value></field><field type='fixed'><value>heading</value></field><field var='none'/><field var='b' type='text-multi'><value>x</value><value/></field><field xmlns='urn:example' var='c'/>");
	assert.equal(submission.type, "submit");
	assert.deepEqual([...submission.values], [["a", ["1"]], ["b", ["x", ""]]]);
	assert.equal(singleValue(submission, "a"), "1");
	assert.equal(singleValue(submission, "absent"), undefined);
	assert.throws(() => singleValue(submission, "b"), { name: "GatewayError", fault: "bad-request" });
	assert.equal(parse("cancel", "").type, "cancel");
});

test("parseSubmission() refuses what is no form that came back, and too much of anything", () => {
	for (const [type, fields] of [
		["form", ""], ["result", ""], ["", ""],
		["submit", "<field/>"],
		["submit", "<field var='a'/><field var='b'><value/></field><field var='b'/>"],
		["submit", Array.from({ length: 501 }, (_, n) => `<field var='f${n}'/>`).join("")],
		["submit", `<field var='a'>${"<value/>".repeat(501)}</field>`],
	] as const) {
		assert.throws(() => parse(type, fields), (error) => error instanceof GatewayError && error.fault === "bad-request", fields.slice(0, 60));
	}
});

test("booleanFrom() takes the four words of xs:boolean and no other", () => {
	assert.deepEqual(["true", "1", " false ", "0"].map(booleanFrom), [true, true, false, false]);
	for (const text of ["", "True", "yes", "on", "2"]) assert.equal(booleanFrom(text), undefined, text);
});

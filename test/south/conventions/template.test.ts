import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../../src/south/json.js";
import { compileTemplate } from "../../../src/south/conventions/template.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";

function rendered(source: string, payload: string, more: Record<string, string> = {}): string | undefined {
	const template = compileTemplate(source, Object.keys(more));
	if (typeof template === "string") throw new Error(`refused: ${template}`);
	let json;
	try {
		json = parseJson(payload);
	} catch {
		json = undefined;
	}
	return template.render({ value: payload, value_json: json, ...more });
}

const ROWS: readonly (readonly [source: string, payload: string, expected: string | undefined])[] = [
	// Paths
	["{{ value }}", "21.50", "21.50"],
	["{{ value_json.t }}", '{"t":21.50}', "21.50"],
	["{{ value_json['a']['b'] }}", '{"a":{"b":"x"}}', "x"],
	['{{ value_json["a"].b[1] }}', '{"a":{"b":[1,2.0]}}', "2.0"],
	["{{ value_json[0].t }}", '[{"t":1e3}]', "1000"],
	["{{ value_json.a.b.c }}", '{"a":{"b":{"c":null}}}', "None"],
	["{{ value_json.missing }}", '{"t":1}', ""],
	["{{ value_json.a.b }}", '{"t":1}', undefined],
	["{{ value_json.t }}", "no json", undefined],
	["{{ value_json['constructor'] }}", "{}", ""],
	["{{ value_json['__proto__'] }}", "{}", ""],
	["{{value_json.on}}", '{"on":true}', "True"],
	["{{ value[0:5] }}", "2026-01-01", "2026-"],
	["{{ value[-2:] }}", "abcd", "cd"],
	["{{ value_json.list[-1] }}", '{"list":[1,2,3]}', "3"],
	// Filters
	["{{ value | float }}", "71.50", "71.50"],
	["{{ value | float }}", "abc", undefined],
	["{{ value | float(0) }}", "abc", "0"],
	["{{ value_json.x | float(0) }}", "{}", "0"],
	["{{ value | int }}", "12.9", "12"],
	["{{ value | int }}", "-12.9", "-12"],
	["{{ value | int(base=16) }}", "0xff", "255"],
	["{{ value | int(0, 16) }}", "zz", "0"],
	["{{ value_json.t | round(1) }}", '{"t":21.26}', "21.3"],
	["{{ value_json.t | round(1) }}", '{"t":21}', "21.0"],
	["{{ value_json.t | round }}", '{"t":21.6}', "22"],
	["{{ value_json.t | round(0, 'floor') }}", '{"t":21.6}', "21"],
	["{{ value_json.t | round(1, method='ceil') }}", '{"t":21.61}', "21.7"],
	["{{ value_json.t | default(5) }}", "{}", "5"],
	["{{ value_json.t | default(5) }}", '{"t":null}', "None"],
	["{{ value_json.t | default(5, true) }}", '{"t":""}', "5"],
	["{{ value_json.t | d('x') }}", "{}", "x"],
	["{{ value_json.t | is_defined }}", "{}", undefined],
	["{{ value_json.t | is_defined }}", '{"t":7}', "7"],
	["{{ value | lower }}", "ON", "on"],
	["{{ value | upper }}", "on", "ON"],
	["{{ value | trim }}", "  x ", "x"],
	["{{ value | title }}", "heat pump", "Heat Pump"],
	["{{ value | capitalize }}", "HEAT", "Heat"],
	["{{ value | replace(',', '.') | float }}", "21,5", "21.5"],
	["{{ value_json.p | multiply(0.001) }}", '{"p":1500}', "1.5"],
	["{{ value_json.p | divide(10) }}", '{"p":215}', "21.5"],
	["{{ value_json.p | add(1) }}", '{"p":1}', "2"],
	["{{ value_json.p | abs }}", '{"p":-3.50}', "3.50"],
	["{{ value_json | tojson }}", '{"a":1.50,"b":["x",true,null]}', '{"a":1.50,"b":["x",true,null]}'],
	["{{ value_json.a | to_json }}", '{"a":"q\\"q"}', '"q\\"q"'],
	["{{ value_json.l | length }}", '{"l":[1,2,3]}', "3"],
	["{{ value_json.l | max }}", '{"l":[1,30.0,3]}', "30.0"],
	["{{ value_json.l | sum }}", '{"l":[1,2,3]}', "6"],
	["{{ value_json.l | join('/') }}", '{"l":[1,"a"]}', "1/a"],
	["{{ value_json.l | first }}{{ value_json.l | last }}", '{"l":[1,2,3]}', "13"],
	["{{ value | bool }}", "on", "True"],
	["{{ (value_json.r == 1) | iif('ON', 'OFF') }}", '{"r":1}', "ON"],
	["{{ value_json.f | bitwise_and(4) }}", '{"f":6}', "4"],
	// Arithmetic, comparison, logic
	["{{ value_json.a + value_json.b * 2 }}", '{"a":1,"b":3}', "7"],
	["{{ (value_json.a + value_json.b) * 2 }}", '{"a":1,"b":3}', "8"],
	["{{ value_json.a / 1000 }}", '{"a":1234}', "1.234"],
	["{{ value_json.a // 10 }}", '{"a":129}', "12"],
	["{{ value_json.a % 10 }}", '{"a":-1}', "9"],
	["{{ value_json.a / 0 }}", '{"a":1}', undefined],
	["{{ 2 ** 10 }}", "", "1024"],
	["{{ -value_json.a }}", '{"a":2.50}', "-2.50"],
	["{{ -value_json.a | abs }}", '{"a":2.50}', "2.50"],
	["{{ value_json.a + 1 }}", '{"a":"x"}', undefined],
	["{{ value_json.a * 1.8 + 32 }}", '{"a":20}', "68"],
	["{{ 1 < value_json.a <= 5 }}", '{"a":5}', "True"],
	["{{ value_json.a == 5 and not value_json.b }}", '{"a":5,"b":false}', "True"],
	["{{ value == 'x' or value == 'y' }}", "y", "True"],
	["{{ value in ['a', 'b'] }}", "b", "True"],
	["{{ 'k' in value_json }}", '{"k":0}', "True"],
	["{{ 'z' not in value }}", "abc", "True"],
	["{{ value_json.a is defined }}", "{}", "False"],
	["{{ value_json.a is not none }}", '{"a":null}', "False"],
	["{{ 'on' if value_json.a else 'off' }}", '{"a":0}', "off"],
	["{{ 'a' if value == '1' else 'b' if value == '2' else 'c' }}", "2", "b"],
	["{{ 'x' if value == '1' }}", "2", ""],
	["{{ value ~ ' ' ~ 1 ~ true }}", "v", "v 1True"],
	["{{ 'a' 'b' }}", "", "ab"],
	// Blocks
	["{% if value == '1' %}ON{% elif value == '2' %}HALF{% else %}OFF{% endif %}", "2", "HALF"],
	["{% if value_json.state == 'on' %}\n  ON\n{% else %}\n  OFF\n{% endif %}", '{"state":"on"}', "ON"],
	["{%- if value|int > 5 -%} yes {%- endif -%}", "7", "yes"],
	["{% if value is defined %}{% if value == 'a' %}1{% else %}2{% endif %}{% endif %}", "b", "2"],
	["{% set w = {'a': 'heat', 'b': 'cool'} %}{{ w[value_json.m] }}", '{"m":"b"}', "cool"],
	["{% set w = {None: none, 'idle': 'idle'} %}{{ w[value_json.s] }}", '{"s":null}', "None"],
	["{% set x = value | float %}{{ x * 2 }}", "1.5", "3"],
	["{# nothing #}{{ value }}", "v", "v"],
	['{"v":"{{ value_json["u"]["i"] }}","p":{{ value_json["u"].get("p", "null") }}}', '{"u":{"i":3}}', '{"v":"3","p":null}'],
	["{{ value_json.a.split(',')[1] }}", '{"a":"1,2"}', "2"],
	["{{ value.lower().strip() }}", " AB ", "ab"],
	["{{ float(value) + int('1') }}", "2.5", "3.5"],
	["{{ {'a': {'b': value}} | tojson }}", "v", '{"a":{"b":"v"}}'],
	["plain text", "x", "plain text"],
	["{ \"position\": {{ value }} }", "5", '{ "position": 5 }'],
];

for (const [source, payload, expected] of ROWS) {
	test(`render() makes ${JSON.stringify(expected)} of ${source} and ${payload}`, () => assert.equal(rendered(source, payload), expected));
}

const REFUSED: readonly (readonly [source: string, reason: RegExp])[] = [
	["{{ states('sensor.x') }}", /it calls states\(\)/],
	["{{ now().isoformat() }}", /it calls now\(\)/],
	["{{ value | timestamp_custom('%H') }}", /the filter "timestamp_custom"/],
	["{{ value | regex_replace('a', 'b') }}", /the filter "regex_replace"/],
	["{% for x in value_json %}{{ x }}{% endfor %}", /it uses \{% for %\}/],
	["{% macro m() %}{% endmacro %}", /it uses \{% macro %\}/],
	["{{ trigger.id }}", /it reads "trigger"/],
	["{{ value.format(1) }}", /it calls \.format\(\)/],
	["{{ value is match('a') }}", /the test "match"/],
	["{{ value", /has no \}\}/],
	["{{ }}", /ends too early/],
	["{{ value | }}", /the filter ""|the filter "\}\}"/],
	["{% if value %}x", /no \{% endif %\}/],
	["x{% endif %}", /has no beginning/],
	["{{ 'abc }}", /no closing quote/],
	["{{ a ? b : c }}", /it reads "a"|it contains/],
	["{# open", /no end/],
	["{{ (1 }}", /where "\)" should be/],
	["{{ value_json.x | round(digits=1) }}", /the argument "digits"/],
	[`{{ ${"(".repeat(100)}1${")".repeat(100)} }}`, /nested deeper/],
	[`{{ ${"1+".repeat(1000)}1 }}`, /more than 800/],
	[`{{ ${"not ".repeat(100)}1 }}`, /nested deeper/],
	[`${"x".repeat(8193)}`, /longer than 8192/],
];

for (const [source, reason] of REFUSED) {
	test(`compileTemplate() names what it cannot use of ${source.slice(0, 60)}`, () => assert.match(String(compileTemplate(source)), reason));
}

test("compileTemplate() knows a template that makes a number", () => {
	const numeric = (source: string): boolean | undefined => { const template = compileTemplate(source); return typeof template === "string" ? undefined : template.numeric; };
	assert.deepEqual(["{{ value | float }}", "{{ value_json.t | int | round(1) }}", "{{ value }}", "x{{ value | int }}"].map(numeric), [true, true, false, false]);
});

test("compileTemplate() takes the variables it is told of", () => {
	assert.equal(rendered('{"pos": {{ position }}}', "", { position: "5" }), '{"pos": 5}');
	assert.match(String(compileTemplate("{{ position }}")), /it reads "position"/);
});

test("render() stops a template that builds ever longer texts, lists and maps", () => {
	const doubling = (step: string): string => `{% set a = value %}${`{% set a = ${step} %}`.repeat(60)}{{ a }}`;
	for (const step of ["a ~ a", "[a, a]", "{'x': a, 'y': a}", "a | replace('x', 'xxxxxxxxxx')"]) assert.equal(rendered(doubling(step), "xxxxxxxxxxxxxxxxxxxx"), undefined, step);
});

test("compileTemplate() and render() throw nothing for noise, and end soon", () => {
	const chance = new Chance(11);
	const pieces = ["{{", "}}", "{%", "%}", "{#", "#}", "if", "elif", "else", "endif", "set", "value", "value_json", ".a", "['b']", "[0]", "|", "float", "int", "round(1)", "default(", ")", "(", "==", "+", "-", "~", "not", "in", "is", "defined", "1", "'x'", ",", " ", "{", "}", ":", "[", "]", "|tojson", "=", "a", "\n", "\\", "\"", "**", "//"];
	const started = process.hrtime.bigint();
	for (let run = 0; run < RUNS; run++) {
		const source = Array.from({ length: 1 + chance.int(25) }, () => chance.pick(pieces)).join(chance.int(2) ? " " : "");
		const template = compileTemplate(chance.int(3) === 0 ? source : `{{ ${source} }}`);
		if (typeof template === "string") assert.notEqual(template, "");
		else template.render({ value: "12.5", value_json: parseJson('{"a":{"b":[1,"x",null]},"b":2}') });
	}
	const each = Number(process.hrtime.bigint() - started) / 1e6 / RUNS;
	assert.ok(each < 5, `${each} ms each`);
});

test("compileTemplate() is linear in the template", () => {
	const time = (source: string): number => { const start = process.hrtime.bigint(); for (let i = 0; i < 50; i++) compileTemplate(source); return Number(process.hrtime.bigint() - start); };
	for (const piece of ["{", "{{", "(", "'", "{# ", "{% if ", " ", "-", "a|"]) {
		time(piece.repeat(100));
		const [small, large] = [time(piece.repeat(Math.floor(500 / piece.length))), time(piece.repeat(Math.floor(8_000 / piece.length)))];
		assert.ok(large < 16 * 6 * small + 5e7, `${piece}: ${small} → ${large}`);
	}
});

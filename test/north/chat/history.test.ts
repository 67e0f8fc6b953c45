import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import { numericFromText } from "../../../src/core/value.js";
import { chat } from "../../../src/north/chat/chat.js";
import { FAKE_START } from "../../fakes/clock.js";
import { Chance, RUNS } from "../../fakes/fuzz.js";
import { chat as line, DOMAIN, harness, type Harness, RULES } from "../harness.js";

const ALICE = "alice@example.org/phone";
const BOB = "bob@partner.example/phone";
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
let asked = 0;

function bench(): Harness {
	let id = 0;
	return harness((verbs) => [chat(verbs, { newId: () => `n${++id}` })]);
}

function keep(h: Harness, device: string, point: string, value: string | boolean, ago: number): void {
	const at = FAKE_START - ago;
	const told = typeof value === "boolean" ? value : (numericFromText(value) ?? value);
	h.history.add("test", device, { point, value: told, at, received: at, quality: "good" }, point === "temperature" ? "°C" : undefined);
}

/** What is said to a line, as its body. */
async function told(h: Harness, text: string, to = `weather@${DOMAIN}`, from = ALICE): Promise<string[]> {
	const said = await h.ask(line(from, to, text).replace("id='m1'", `id='m${++asked}'`));
	return said.map((stanza) => (/<body>([^]*)<\/body>/.exec(stanza) ?? assert.fail(`${text}: ${stanza}`))[1]!.replaceAll("\u00a0", " ").replaceAll("&quot;", "\""));
}

test("few readings are told one by one, with digits and unit, times in UTC, and a line that shows their shape", async () => {
	const h = bench();
	for (const [value, ago] of [["20.00", 3 * HOUR], ["21.5", 2 * HOUR], ["25.0", HOUR + 5_000], ["22.5", 5 * MINUTE]] as const) keep(h, "weather", "temperature", value, ago);
	keep(h, "weather", "temperature", "1.0", 30 * HOUR);
	assert.deepEqual(await told(h, "history temperature"), ["temperature of weather, last 24 h: 4 readings, times in UTC\n▁▃█▅\n21:00:00  20.00 °C\n22:00:00  21.5 °C\n22:59:55  25.0 °C\n23:55:00  22.5 °C"]);
	assert.deepEqual(await told(h, "History TEMPERATURE for the last 2h"), ["temperature of weather, last 2 h: 3 readings, times in UTC\n▁█▃\n22:00:00  21.5 °C\n22:59:55  25.0 °C\n23:55:00  22.5 °C"]);
	assert.match((await told(h, "history temperature 7d"))[0]!, /last 7 d: 5 readings, times in UTC\n.*\n2025-12-30 18:00:00 {2}1\.0 °C\n/);
	assert.deepEqual(await told(h, "weather history temperature 10m", DOMAIN), ["temperature of weather, last 10 min: 1 reading, times in UTC\n23:55:00  22.5 °C"]);
	assert.deepEqual(h.complaints, []);
});

test("many readings are told as min, mean and max of steps that people count in, never more than 24", async () => {
	const h = bench();
	for (let n = 0; n < 1_440; n++) if (n < 240 || n >= 300) keep(h, "weather", "temperature", (20 + (n % 60) / 10).toFixed(1), 24 * HOUR - n * MINUTE);
	const [text = ""] = await told(h, "history temperature 24h");
	const lines = text.split("\n");
	assert.equal(lines[0], "temperature of weather, last 24 h: 1 380 readings, min · mean · max in steps of 1 h, times in UTC");
	assert.equal(lines[1], `▄▄▄▄·${"▄".repeat(19)}`);
	assert.deepEqual(lines.slice(2), Array.from({ length: 24 }, (_, hour) => hour).filter((hour) => hour !== 4).map((hour) => `${String(hour).padStart(2, "0")}:00  20.0 · 22.95 · 25.9 °C`));
	for (const span of ["50m", "3h", "5h", "7h", "11h", "12h", "7d", "365d"]) {
		const [said = ""] = await told(h, `history temperature ${span}`);
		assert.ok(said.split("\n").length <= 26, `${span}: ${said}`);
	}
	const year = bench();
	for (let n = 0; n < 365; n++) keep(year, "weather", "temperature", `${n}`, n * 24 * HOUR);
	assert.match((await told(year, "history temperature 1000d"))[0]!, /in steps of 30 d, times in UTC\n[▁-█]+\n2024-\d\d-\d\d {2}\d+ · \d+\.\d · \d+ °C\n/);
});

test("of what has no numbers the changes are told", async () => {
	const h = bench();
	for (let n = 0; n < 100; n++) keep(h, "pump-1", "running", n >= 30 && n < 60, 100 * MINUTE - n * MINUTE);
	assert.deepEqual(await told(h, "history running 2h", `pump-1@${DOMAIN}`), ["running of pump-1, last 2 h: 100 readings, 2 changes, times in UTC\n22:20:00  off\n22:50:00  on\n23:20:00  off"]);
	for (let n = 0; n < 100; n++) keep(h, "pump-1", "mode", n % 2 === 0 ? "auto" : "manual", 100 * MINUTE - n * MINUTE);
	const lines = (await told(h, "history mode 2h", `pump-1@${DOMAIN}`))[0]!.split("\n");
	assert.deepEqual([lines[0], lines.length, lines.at(-1)], ["mode of pump-1, last 2 h: 100 readings, 99 changes, the last 40, times in UTC", 41, "23:59:00  manual"]);
});

test("where there is nothing, it is said since when there is something; alone, the word lists what is stored", async () => {
	const h = bench();
	assert.deepEqual(await told(h, "history temperature 1h"), ["temperature of weather, last 1 h: nothing. Nothing of it is stored yet"]);
	assert.deepEqual(await told(h, "history"), ["Nothing of weather is stored yet"]);
	for (let n = 0; n < 1_500; n++) keep(h, "weather", "temperature", "4", 26 * HOUR - n * 1_000);
	assert.deepEqual(await told(h, "history temperature 1h"), ["temperature of weather, last 1 h: nothing. There are 1 500 readings of it, from 2025-12-30 22:00 to 2025-12-30 22:24 UTC"]);
	assert.deepEqual(await told(h, "history"), ["Stored of weather; \"history POINT 24h\" shows it:\ntemperature: 1 500 readings, from 2025-12-30 22:00 to 2025-12-30 22:24 UTC"]);
});

test("what is typed wrong is answered with what is right, and nothing is looked up", async () => {
	const h = bench();
	for (const [typed, expected] of [
		["history temperature soon", "Cannot read \"soon\": write how far back, such as \"history temperature 24h\" or \"history temperature 7d\""],
		["history temprature", "Cannot read \"temprature\": no such point; did you mean \"temperature\"?"],
		["histroy temperature", "I do not understand \"histroy temperature\"; did you mean \"history\"? Type \"help\""],
	] as const) assert.deepEqual(await told(h, typed), [expected]);
});

test("who may not read a point learns nothing of its past, also when that is taken from him while it is read", async () => {
	const h = bench();
	keep(h, "weather", "humidity", "44", HOUR);
	keep(h, "weather", "temperature", "4.2", HOUR);
	const [unknown = ""] = await told(h, "history nothing", `weather@${DOMAIN}`, BOB);
	assert.deepEqual(await told(h, "history humidity", `weather@${DOMAIN}`, BOB), [unknown.replace("nothing", "humidity")]);
	assert.ok(!(await told(h, "history", `weather@${DOMAIN}`, BOB))[0]!.includes("humidity"));
	let open = (): void => {};
	h.history.until = new Promise((resolve) => (open = resolve));
	assert.deepEqual(await told(h, "history temperature", `weather@${DOMAIN}`, BOB), []);
	h.setRules([]);
	open();
	await h.clock.advance(0);
	assert.ok(!h.take().join("").includes("4.2"));
});

test("a long search says how much there is to read, and corrects that; one that hangs is given up", async () => {
	const h = bench();
	for (let n = 0; n < 1_200; n++) keep(h, "weather", "temperature", "4", 20 * HOUR - n * MINUTE);
	let open = (): void => {};
	const { buckets } = h.history;
	h.history.buckets = async (span, width, limit) => {
		await new Promise<void>((resolve) => (open = resolve));
		return buckets.call(h.history, span, width, limit);
	};
	assert.deepEqual(await told(h, "history temperature"), []);
	await h.clock.advance(700);
	const [pending = ""] = h.take();
	assert.match(pending, /<body>reading 1\u00a0200 values of temperature …<\/body>/);
	open();
	await h.clock.advance(0);
	const [ending = ""] = h.take();
	assert.match(ending, /<body>temperature of weather, last 24 h: 1\u00a0200 readings, [^]*<replace xmlns='urn:xmpp:message-correct:0' id='n1'\/>/);
	await told(h, "history temperature");
	await h.clock.advance(120_000);
	assert.match(h.take().at(-1)!, /takes longer than 120 s: ask for a shorter time/);
	assert.equal(h.clock.pending, 0);
});

test("a journal that cannot be read is said in its words; a bug of ours is logged and not told", async () => {
	const h = bench();
	h.history.extent = async () => {
		throw new GatewayError("store-failed", "Cannot read the journal: the disk is gone");
	};
	assert.deepEqual(await told(h, "history temperature"), ["Cannot read the journal: the disk is gone"]);
	h.history.extent = async () => {
		throw new TypeError("x is undefined");
	};
	assert.deepEqual(await told(h, "history"), ["Cannot read the history: the gateway failed; its log says more"]);
	assert.equal(h.complaints.length, 1);
});

test("whatever is stored and asked: one answer, short enough for a phone", async () => {
	const chance = new Chance(45);
	const h = bench();
	const texts = ["1.0", "on", "", "é\n", "x".repeat(9_000), "-0.5", "99999999999999999999"];
	for (let n = 0; n < 300; n++) keep(h, "weather", chance.pick(["temperature", "humidity"]), chance.int(5) === 0 ? chance.int(2) === 0 : chance.pick(texts), chance.int(40) === 0 ? chance.pick([-1e15, FAKE_START, 9e15]) : chance.int(3_000) * MINUTE);
	for (let run = 0; run < RUNS / 10; run++) {
		const typed = `history ${chance.pick(["temperature", "humidity", ""])} ${chance.pick(["", "0s", "1ms", "5s", "1m", "90m", "24h", "31h", "2d", "999999999d", "-1h", "h"])}`;
		await h.clock.advance(10_000); // nobody may write faster in the long run
		h.take();
		const [text = "", ...more] = await told(h, typed);
		assert.deepEqual(more, [], typed);
		assert.ok(text.length > 0 && text.length < 6_000 && text.split("\n").length <= 90, `${typed}: ${text.length} ${text.split("\n").length}`);
	}
	assert.deepEqual(h.complaints, []);
});

test("the journal reads two histories of one person at a time, and sixteen of all; the next one is told to wait", async () => {
	const access = Array.from({ length: 10 }, (_, n) => ({ who: `v${n}@example.org`, role: "viewer" as const }));
	let ids = 0;
	const h = harness((verbs) => [chat(verbs, { newId: () => `n${++ids}` })], { access });
	let open = (): void => {};
	const until = new Promise<void>((resolve) => (open = resolve));
	let reading = 0;
	h.history.extent = async () => {
		reading++;
		await until;
		return { rows: 0 };
	};
	for (let n = 0; n < 50; n++) await told(h, n % 2 === 0 ? "history temperature 30d" : "history", `weather@${DOMAIN}`, `v0@example.org/r${n}`);
	assert.equal(reading, 2);
	assert.deepEqual(await told(h, "history temperature", `weather@${DOMAIN}`, "v0@example.org/x"), ["Cannot read a history now: 2 of yours are being read; wait for their answers"]);
	for (let n = 0; n < 30; n++) await told(h, "history temperature", `weather@${DOMAIN}`, `v${n % 10}@example.org/x`);
	assert.equal(reading, 16);
	assert.deepEqual(await told(h, "history temperature", `weather@${DOMAIN}`, "v9@example.org/x"), ["Cannot read a history now: 16 are being read for others; try again in a minute"]);
	// Who was told that it takes too long has not given the journal back.
	await h.clock.advance(120_000);
	h.take();
	assert.match((await told(h, "history temperature", `weather@${DOMAIN}`, "v0@example.org/x"))[0]!, /^Cannot read a history now: 2 of yours/);
	open();
	await h.clock.advance(0);
	h.take();
	assert.match((await told(h, "history temperature", `weather@${DOMAIN}`, "v0@example.org/x"))[0]!, /Nothing of it is stored yet/);
});

test("nothing more is asked of the journal for who was told that it takes too long", async () => {
	const h = bench();
	for (let n = 0; n < 3_000; n++) keep(h, "weather", "temperature", n % 2 === 0, 20 * HOUR - n * 1_000);
	for (const line of ["history", "history temperature"]) {
		let questions = 0;
		let open = (): void => {};
		const { extent, rows } = h.history;
		h.history.extent = async (span) => {
			if (++questions === 1) await new Promise<void>((resolve) => (open = resolve));
			return extent.call(h.history, span);
		};
		h.history.rows = async (...page) => {
			questions++;
			return rows.apply(h.history, page);
		};
		await told(h, line);
		await h.clock.advance(120_000);
		assert.match(h.take().at(-1)!, /takes longer than 120 s/);
		open();
		await h.clock.advance(0);
		assert.equal(questions, 1, line);
		Object.assign(h.history, { extent, rows });
	}
	assert.deepEqual(h.take(), []);
	assert.deepEqual(h.complaints, []);
});

test("the list of what is stored names no point that was taken from its reader meanwhile", async () => {
	const h = bench();
	for (const [what, change] of [["rules", () => h.setRules([{ who: "bob@partner.example", role: "viewer", points: { weather: ["humidity"] } }])], ["device", () => h.remove("weather")]] as const) {
		let open = (): void => {};
		const until = new Promise<void>((resolve) => (open = resolve));
		h.history.extent = async () => {
			await until;
			return { rows: 1, first: FAKE_START, last: FAKE_START };
		};
		assert.deepEqual(await told(h, "history", `weather@${DOMAIN}`, BOB), []);
		await change();
		open();
		await h.clock.advance(0);
		assert.ok(!h.take().join("").includes("temperature"), what);
		h.setRules(RULES);
	}
});

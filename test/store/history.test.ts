// One set of claims, held by the journal on disk and by the small one in memory that the tests of the north wing use.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Entry, History, Span } from "../../src/core/journal.js";
import { isNumeric, textOf } from "../../src/core/value.js";
import type { Store } from "../../src/store/store.js";
import { MemoryHistory } from "../fakes/history.js";
import { entry, folderFor, MODES, open } from "./open.js";

interface Kept {
	readonly history: History;
	put(entries: readonly Entry[]): Promise<void>;
}

const KEEPERS: readonly { readonly name: string; make(t: TestContext): Promise<Kept> }[] = [
	{
		name: "in memory",
		async make() {
			const history = new MemoryHistory();
			return { history, put: async (entries) => entries.forEach(({ link, address, reading, unit }) => history.add(link, address, reading, unit)) };
		},
	},
	...MODES.flatMap(({ thread, mode }) => thread ? [
		{ name: `on disk ${mode}`, make: async (t: TestContext) => kept(await open(t, { folder: folderFor(t), thread, keep: 1e14 }), (store, entries) => store.append(entries)) },
	] : [
		{ name: `on disk ${mode}`, make: async (t: TestContext) => kept(await open(t, { folder: folderFor(t), thread, keep: 1e14 }), (store, entries) => store.append(entries)) },
		{
			name: `on disk ${mode}, not written yet`,
			make: async (t: TestContext) => kept(await open(t, { folder: folderFor(t), thread, keep: 1e14 }), async (store, entries) => store.note(entries)),
		},
		{
			name: `on disk ${mode}, half of it moved out of the inbox`,
			make: async (t: TestContext) => kept(await open(t, { folder: folderFor(t), thread, keep: 1e14 }), async (store, entries) => {
				const half = Math.ceil(entries.length / 2);
				await store.append(entries.slice(0, half));
				await store.emptyInbox();
				await store.append(entries.slice(half));
			}),
		},
	]),
];

function kept(store: Store, put: (store: Store, entries: readonly Entry[]) => Promise<void>): Kept {
	return { history: store, put: (entries) => put(store, entries) };
}

const span = (over: Partial<Span> = {}): Span => ({ place: { link: "farm", address: "b1" }, points: ["t"], ...over });

for (const { name, make } of KEEPERS) {
	test(`a journal ${name} gives rows by source time, ties by arrival, with their digits, units and times`, async (t) => {
		const { history, put } = await make(t);
		await put([
			entry("20.50", 3_000, { unit: "°C" }), entry("20.10", 1_000), entry("7", 3_000, { point: "u" }), entry("20.60", 3_000), entry(true, 2_000),
			entry("warm", 2_500, { received: 9_000 }), entry("1", 2_000, { address: "b2" }), entry("-0.050", -5),
		]);
		const rows = await history.rows(span({ points: ["t", "u"] }), 100);
		assert.deepEqual(rows.map(({ reading, unit }) => [reading.point, textOf(reading.value), typeof reading.value, reading.at, reading.received, unit]), [
			["t", "-0.050", "object", -5, -5, undefined], ["t", "20.10", "object", 1_000, 1_000, undefined], ["t", "true", "boolean", 2_000, 2_000, undefined],
			["t", "warm", "string", 2_500, 9_000, undefined], ["t", "20.50", "object", 3_000, 3_000, "°C"], ["u", "7", "object", 3_000, 3_000, undefined], ["t", "20.60", "object", 3_000, 3_000, undefined],
		]);
	});

	test(`a journal ${name} keeps quality and unknown age`, async (t) => {
		const { history, put } = await make(t);
		const { reading, ...place } = entry("1", 5);
		await put([{ ...place, reading: { ...reading, quality: "estimate", ageUnknown: true } }, { ...place, reading: { ...reading, quality: "error" } }]);
		assert.deepEqual((await history.rows(span(), 9)).map((row) => [row.reading.quality, row.reading.ageUnknown]), [["estimate", true], ["error", undefined]]);
	});

	test(`a journal ${name} takes from as within and to as without, and gives nothing for what it does not have`, async (t) => {
		const { history, put } = await make(t);
		await put([1, 2, 3, 4].map((at) => entry(String(at), at)));
		const values = async (over: Partial<Span>): Promise<string> => (await history.rows(span(over), 9)).map(({ reading }) => textOf(reading.value)).join();
		assert.deepEqual(
			await Promise.all([values({ from: 2, to: 4 }), values({ from: 2 }), values({ to: 2 }), values({ from: 4, to: 2 }), values({ points: ["x"] }), values({ points: [] }), values({ place: { link: "farm", address: "zz" } })]),
			["2,3", "2,3,4", "1", "", "", "", ""],
		);
		assert.deepEqual(await history.rows(span(), 0), []);
	});

	test(`a journal ${name} goes on after a cursor, through ties, to the last row, each once`, async (t) => {
		const { history, put } = await make(t);
		await put(Array.from({ length: 57 }, (_, each) => entry(String(each), Math.floor(each / 7), { point: each % 3 === 0 ? "u" : "t" })));
		const found: string[] = [];
		let after: string | undefined;
		for (;;) {
			const page = await history.rows(span({ points: ["t", "u"] }), 5, after);
			found.push(...page.map(({ reading }) => textOf(reading.value)));
			after = page.at(-1)?.cursor;
			if (page.length < 5) break;
		}
		assert.deepEqual(found, Array.from({ length: 57 }, (_, each) => String(each)));
	});

	test(`a journal ${name} sums up by time: count, least, mean with one decimal more, most, last with its time`, async (t) => {
		const { history, put } = await make(t);
		await put([
			entry("20.5", 1_000, { unit: "°C" }), entry("21.25", 1_900, { unit: "°C" }), entry("20.50", 1_500, { unit: "°C" }),
			entry("5", 1_200, { point: "u" }), entry("on", 2_000), entry("3", 4_999), entry("99", 5_000),
		]);
		const said = (await history.buckets(span({ points: ["u", "t"], from: -10, to: 5_000 }), 1_000, 100))
			.map(({ point, at, count, unit, numbers, last, lastAt }) => [point, at, count, unit, numbers && [numbers.min, numbers.mean, numbers.max].map(textOf).join(), isNumeric(last) ? last.text : last, lastAt]);
		assert.deepEqual(said, [
			["u", 1_000, 1, undefined, "5,5.0,5", "5", 1_200], ["t", 1_000, 3, "°C", "20.5,20.750,21.25", "21.25", 1_900],
			["t", 2_000, 1, undefined, undefined, "on", 2_000], ["t", 4_000, 1, undefined, "3,3.0,3", "3", 4_999],
		]);
		assert.deepEqual((await history.buckets(span({ points: ["u", "t"], from: 0 }), 1_000, 2)).map(({ point, at }) => [point, at]), [["u", 1_000], ["t", 1_000]]);
	});

	test(`a journal ${name} tells how much it has, and from when to when`, async (t) => {
		const { history, put } = await make(t);
		await put([entry("1", 10), entry("2", 5, { point: "u" }), entry("3", 30), entry("4", 20)]);
		assert.deepEqual(await Promise.all([history.extent(span({ points: ["t", "u"] })), history.extent(span({ from: 11, to: 30 })), history.extent(span({ from: 31 }))]), [{ rows: 4, first: 5, last: 30 }, { rows: 1, first: 20, last: 20 }, { rows: 0 }]);
	});
}

test("a cursor that is none of ours is refused", async (t) => {
	const store = await open(t, { folder: folderFor(t) });
	for (const cursor of ["", "1", "1.2.3", "x.1", "1.-1", "1e3.1", "9".repeat(40)]) await assert.rejects(store.rows(span(), 5, cursor), { fault: "bad-request" }, cursor);
});

for (const { thread, mode } of MODES) {
	test(`a page ${mode} is the same wherever its rows are: moved before it, between two pages, or not at all`, async (t) => {
		const store = await open(t, { folder: folderFor(t), thread, keep: 1e14 });
		const points = Array.from({ length: 30 }, (_, each) => `p${each}`);
		// Time goes back and forth, and one point has more than all others.
		const entries = Array.from({ length: 3_000 }, (_, each) => entry(String(each), (each * 7_919) % 1_500, { point: each % 2 === 0 ? "p0" : points[each % 30]! }));
		const expected = entries.map(({ reading: { at, value } }, seq) => ({ at, seq, text: textOf(value) })).sort((a, b) => a.at - b.at || a.seq - b.seq).map(({ text }) => text);
		const found: string[] = [];
		let after: string | undefined;
		for (const [turn, first] of [0, 1_000, 2_000].entries()) {
			await store.append(entries.slice(first, first + 1_000));
			if (turn === 1) await store.emptyInbox();
		}
		for (let turn = 0; ; turn++) {
			const page = await store.rows(span({ points }), 170, after);
			found.push(...page.map(({ reading }) => textOf(reading.value)));
			if (page.length < 170) break;
			after = page.at(-1)!.cursor;
			if (turn === 5) await store.emptyInbox();
		}
		assert.deepEqual(found, expected);
		assert.deepEqual(await store.extent(span({ points, from: 10, to: 1_400 })), { rows: entries.filter(({ reading: { at } }) => at >= 10 && at < 1_400).length, first: 10, last: 1_399 });
	});
}

test("rows that are moved while they are summed up are counted once", async (t) => {
	const store = await open(t, { folder: folderFor(t), thread: true, keep: 1e14 });
	const all = 30_000;
	for (let first = 0; first < all; first += 5_000) await store.append(Array.from({ length: 5_000 }, (_, each) => entry(String(first + each), first + each)));
	const [bucket] = await Promise.all([store.buckets(span(), 1e6, 1), store.extent(span()), store.append(Array.from({ length: 5_000 }, (_, each) => entry("1", all + each)))]);
	assert.ok(bucket[0]!.count === all || bucket[0]!.count === all + 5_000, String(bucket[0]!.count));
	assert.deepEqual(await store.extent(span()), { rows: all + 5_000, first: 0, last: all + 4_999 });
});

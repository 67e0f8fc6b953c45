import type { Bucket, Extent, History, Row, Span } from "../../src/core/journal.js";
import type { Reading } from "../../src/core/reading.js";
import type { Unit } from "../../src/core/unit.js";
import { isNumeric, numericFromNumber, numericFromText } from "../../src/core/value.js";

/** A journal in memory, for the north wing: small, slow and right. test/store holds the real one to the same words. */
export class MemoryHistory implements History {
	readonly #kept: { readonly link: string; readonly address: string; readonly row: Row }[] = [];
	/** While set, an answer comes only with it. */
	until: Promise<void> | undefined;

	add(link: string, address: string, reading: Reading, unit?: Unit): void {
		this.#kept.push({ link, address, row: { reading, cursor: String(this.#kept.length), ...(unit !== undefined && { unit }) } });
	}

	async rows(span: Span, limit: number, after?: string): Promise<readonly Row[]> {
		await this.until;
		const all = this.#of(span);
		const from = after === undefined ? 0 : all.findIndex(({ cursor }) => cursor === after) + 1;
		return all.slice(from, from + limit);
	}

	async buckets(span: Span, width: number, limit: number): Promise<readonly Bucket[]> {
		await this.until;
		const found = new Map<string, Row[]>();
		for (const row of this.#of(span)) {
			const key = `${String(Math.floor(row.reading.at / width) * width).padStart(20)} ${String(span.points.indexOf(row.reading.point)).padStart(5)}`;
			found.set(key, [...(found.get(key) ?? []), row]);
		}
		return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit).map(([, rows]): Bucket => {
			const { reading, unit } = rows.at(-1)!;
			const numbers = rows.map((row) => row.reading.value).filter(isNumeric);
			const sorted = [...numbers].sort((a, b) => a.number - b.number);
			const decimals = Math.max(0, ...numbers.map(({ text }) => text.split(".")[1]?.length ?? 0)) + 1;
			return {
				point: reading.point, at: Math.floor(reading.at / width) * width, count: rows.length, last: reading.value, lastAt: reading.at,
				...(unit !== undefined && { unit }),
				...(numbers.length > 0 && { numbers: { min: sorted[0]!, max: sorted.at(-1)!, mean: numericFromNumber(numbers.reduce((sum, { number }) => sum + number, 0) / numbers.length, decimals) ?? numericFromText("0")! } }),
			};
		});
	}

	async extent(span: Span): Promise<Extent> {
		const all = this.#of(span);
		return { rows: all.length, ...(all.length > 0 && { first: all[0]!.reading.at, last: all.at(-1)!.reading.at }) };
	}

	#of({ place, points, from = -Infinity, to = Infinity }: Span): Row[] {
		return this.#kept
			.filter(({ link, address, row: { reading } }) => link === place.link && address === place.address && points.includes(reading.point) && reading.at >= from && reading.at < to)
			.map(({ row }) => row).sort((a, b) => a.reading.at - b.reading.at || Number(a.cursor) - Number(b.cursor));
	}
}

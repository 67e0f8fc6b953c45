import { dataFolderOf } from "../config/load.js";
import { csvLine } from "../csv.js";
import { iso } from "../export-formats.js";
import type { PastBucket, PastRow } from "../past.js";
import { streamGateway } from "../web/control-socket.js";
import { print } from "./output.js";
import { durationFrom, type WindowOptions, windowFrom } from "./times.js";

export const HISTORY_FORMATS = ["table", "csv", "json"] as const;

export interface HistoryOptions extends WindowOptions {
	readonly bucket?: string;
	readonly format: (typeof HISTORY_FORMATS)[number];
}

/** The gateway may look through millions of rows before the first one. */
export const FIRST_WITHIN_MS = 5 * 60_000;

/** `jidway history DEVICE POINT`: every row, or buckets, oldest first. @throws {GatewayError} */
export async function history(configFile: string, device: string, point: string, options: HistoryOptions, stop: AbortSignal): Promise<void> {
	const bucket = options.bucket === undefined ? undefined : durationFrom("--bucket", options.bucket);
	const request = { ask: "history" as const, device, point, ...windowFrom(options, Date.now()), ...(bucket !== undefined && { bucket }) };
	const folder = dataFolderOf(configFile, process.env);
	let count = 0;
	const columns = bucket === undefined ? ["time", "received", "value", "unit"] : ["time", "count", "min", "mean", "max", "last", "unit"];
	for await (const item of streamGateway(folder, request, FIRST_WITHIN_MS, stop)) {
		const cells = cellsOf(item as PastRow | PastBucket);
		if (count++ === 0 && options.format !== "json") await print(options.format === "csv" ? csvLine(columns) : `${tableLine(columns.map((name) => name.toUpperCase()))}\n`);
		switch (options.format) {
			case "json": await print(`${JSON.stringify(Object.fromEntries(columns.map((name) => [name, cells[name] ?? null])))}\n`); break;
			case "csv": await print(csvLine(columns.map((name) => String(cells[name] ?? "")))); break;
			case "table": await print(`${tableLine(columns.map((name) => String(cells[name] ?? "")))}\n`); break;
		}
	}
	if (count > 0) return;
	if (options.format === "csv") await print(csvLine(columns));
	if (options.format === "table") console.error(`Nothing is stored of "${point}" of ${device} in that time`);
}

function cellsOf(item: PastRow | PastBucket): Readonly<Record<string, string | number | undefined>> {
	if ("count" in item) return { time: iso(item.at), count: item.count, min: item.min, mean: item.mean, max: item.max, last: item.last, unit: item.unit };
	return { time: iso(item.at), received: iso(item.received), value: item.value, unit: item.unit };
}

/** Columns of a width that fits nearly everything: what is streamed cannot be measured first. */
function tableLine(cells: readonly string[]): string {
	return cells.map((cell, column) => cell.padEnd(/^\d{4}-|^TIME|^RECEIVED/.test(cell) ? 24 : column === cells.length - 1 ? 0 : 10)).join("  ").trimEnd();
}

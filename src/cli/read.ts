import type { PointRow } from "../local.js";
import { ask } from "./ask.js";
import { table } from "./table.js";

/** `jidway read DEVICE [POINT]`: the last readings, with their age. */
export async function read(configFile: string, device: string, point: string | undefined, json: boolean): Promise<void> {
	const rows = (await ask(configFile, { ask: "read", device, ...(point !== undefined && { point }) })) as readonly PointRow[];
	if (json) return console.log(JSON.stringify(rows, undefined, 2));
	console.log(table([["POINT", "VALUE", "AGE"], ...rows.map((row) => [row.point, row.value === null ? "(none yet)" : `${row.value}${row.unit === undefined ? "" : ` ${row.unit}`}`, row.age ?? ""])]));
}

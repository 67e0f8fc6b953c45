// What the gateway has kept, read from its database by Python's sqlite3: neither its own code nor its SQLite library vouches for it.

import { execFileSync } from "node:child_process";

export interface JournalRow {
	/** The reading's number, as the device sent it. */
	readonly code: number;
	/** The source's time, in ms since 1970. */
	readonly at: number;
	/** The time of receipt. */
	readonly received: number;
	/** 4: its age was unknown. */
	readonly flags: number;
}

const SCRIPT = `
import sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=20)
for row in db.execute(sys.argv[2]):
    print(*row)
`;

/** A reading is first in the inbox, and later, moved in one transaction, with its like. */
const QUERY = `
	SELECT value, at, received, flags FROM (
		SELECT series, value, at, received, flags FROM entry
		UNION ALL SELECT series, value, at, received, flags FROM inbox WHERE series > 0 AND seq > coalesce((SELECT value FROM meta WHERE key = 'moved'), 0)
	) JOIN series ON series.id = series`;
const ofPoint = (point: string | undefined): string => (point === undefined ? QUERY : `${QUERY} WHERE point = '${point}'`);

/** Every reading of a point, or of all points, in the database, in no order. The gateway may run. */
export function readJournal(dataFolder: string, point?: string): readonly JournalRow[] {
	return ask(dataFolder, ofPoint(point)).map((line) => {
		const [code = NaN, at = NaN, received = NaN, flags = NaN] = line.split(" ").map(Number);
		return { code, at, received, flags };
	});
}

/** How many readings of a point it holds. */
export function countJournal(dataFolder: string, point: string): number {
	return Number(ask(dataFolder, `SELECT count(*) FROM (${ofPoint(point)})`)[0]);
}

function ask(dataFolder: string, query: string): string[] {
	// A soak of ten minutes has some megabytes of readings.
	return execFileSync("python3", ["-c", SCRIPT, `${dataFolder}/jidway.sqlite`, query], { encoding: "utf8", timeout: 60_000, maxBuffer: 512 * 1024 * 1024 }).split("\n").filter((line) => line !== "");
}

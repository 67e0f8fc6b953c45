// A process that is killed: it appends numbered readings, as many at once as a broker has in flight, and prints each number when it is on disk.
// Each has another one noted before it, which is written no later: rows are written in their order. It begins when it is given the first number.
import { once } from "node:events";
import { writeSync } from "node:fs";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";
import { entry } from "./open.js";

const [folder] = process.argv.slice(2);
const log = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
const [first]: unknown[] = await once(process.stdin.setEncoding("utf8"), "data");
const store = await Store.open({ folder: folder!, clock: systemClock, log, tick: 3, keep: 1e14 });
let next = Number(first);
const worker = async (): Promise<never> => {
	for (;;) {
		const number = next++;
		store.note([entry(String(number), number, { point: "noted" })]);
		await store.append([entry(String(number), number)], { link: "farm", id: number % 65_535, hash: String(number) });
		writeSync(1, `${number}\n`); // at once: what is in a buffer when it is killed was not said
		store.release("farm", [(number - 100) % 65_535]);
	}
};
await Promise.all(Array.from({ length: 20 }, worker));

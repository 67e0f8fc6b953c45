// A process that is killed: it appends numbered readings, as many at once as a broker has in flight, and prints each number when it is on disk.
import { writeSync } from "node:fs";
import { Store } from "../../src/store/store.js";
import { systemClock } from "../../src/system-clock.js";
import { entry } from "./open.js";

const [folder, first] = process.argv.slice(2);
const log = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
const store = await Store.open({ folder: folder!, clock: systemClock, log, tick: 3, keep: 1e14 });
let next = Number(first);
const worker = async (): Promise<never> => {
	for (;;) {
		const number = next++;
		store.note([entry(`n${number}`, number, { point: "noted" })]);
		await store.append([entry(String(number), number)], { link: "farm", id: number % 65_535, hash: String(number) });
		writeSync(1, `${number}\n`); // at once: what is in a buffer when it is killed was not said
		store.release("farm", [(number - 100) % 65_535]);
	}
};
await Promise.all(Array.from({ length: 20 }, worker));

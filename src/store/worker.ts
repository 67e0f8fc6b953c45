// The thread that waits for the disk, so that the main one does not.
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../core/errors.js";
import { copyDatabase } from "./database.js";
import { Keeper } from "./keeper.js";
import type { Numbered } from "./port.js";
import { codeOf } from "./sqlite.js";

const port = parentPort;
if (!port) throw new Error("Cannot run the store's thread: it is started as a worker");

function serve(): void {
	const keeper = new Keeper();
	let isStepping = false;
	const step = (): void => {
		isStepping = keeper.step();
		if (isStepping) setImmediate(step); // messages have their turn in between
	};
	port!.on("message", ({ n, request }: Numbered) => {
		keeper.take(request, (answer) => port!.postMessage({ n, answer }));
		if (request.kind === "close") return port!.close();
		if (!isStepping) setImmediate(step);
		isStepping = true;
	});
}

function copy(from: string, to: string): void {
	try {
		copyDatabase(from, to);
		port!.postMessage({});
	} catch (error) {
		port!.postMessage({ code: codeOf(error), reason: messageOf(error) });
	}
}

const job: { readonly copy?: readonly [from: string, to: string] } | null = workerData;
if (job?.copy) copy(...job.copy);
else serve();

// How much of a reader's window readouts may fill, and how they wait for room in it.
import { type Clock, deadline, type Millis } from "../../core/clock.js";
import { type Window, WINDOW } from "../window.js";

/** All readouts of one reader fill half of his window, some two megabytes: the rest is left for news. */
const SHARE = WINDOW / 2;
/** A reader who takes nothing for so long gets no more; a metered link carries what is on its way within that time. */
const TAKEN_WITHIN: Millis = 5 * 60_000;

/** Wait until the reader has taken enough of what is on its way to him. @returns Is there room? Not when he takes nothing, or `signal` aborts. */
export async function hasRoom(window: Window, clock: Clock, signal: AbortSignal): Promise<boolean> {
	while (window.room <= WINDOW - SHARE) {
		const patience = deadline(clock, TAKEN_WITHIN, signal);
		await progress(window, patience.signal);
		patience.dispose();
		if (patience.signal.aborted) return false;
	}
	return true;
}

/** Resolves when he has taken something, or when `signal` aborts. */
function progress(window: Window, signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) return resolve();
		const done = (): void => {
			cancel();
			signal.removeEventListener("abort", done);
			resolve();
		};
		const cancel = window.whenRoom(done);
		signal.addEventListener("abort", done, { once: true });
	});
}

// How much of a reader's window readouts may fill, and how they wait for room in it.
import { type Clock, deadline, type Millis } from "../../core/clock.js";
import { type Window, WINDOW } from "../window.js";

/** All readouts of one reader fill half of his window, some two megabytes: the rest is left for news. */
const SHARE = WINDOW / 2;
/** A reader who takes nothing for so long gets no more; a metered link carries what is on its way within that time. */
const TAKEN_WITHIN: Millis = 5 * 60_000;
/** Who could not even be asked in that time, since the gateway asks too many others, is waited for longer: an hour in all. */
const PATIENCES = 12;

/** Wait until the reader has taken enough of what is on its way to him. @returns Is there room? Not when he takes nothing, or `signal` aborts. */
export async function hasRoom(window: Window, clock: Clock, signal: AbortSignal): Promise<boolean> {
	for (let patiences = 0; window.room <= WINDOW - SHARE;) {
		const patience = deadline(clock, TAKEN_WITHIN, signal);
		await progress(window, patience.signal);
		patience.dispose();
		if (signal.aborted) return false;
		// Of who has left a ping unanswered the window has no room at all.
		if (patience.signal.aborted && (window.room === 0 || ++patiences === PATIENCES)) return false;
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

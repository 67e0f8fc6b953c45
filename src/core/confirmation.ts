import { type Clock, type Millis } from "./clock.js";
import { GatewayError } from "./errors.js";
import type { Reading } from "./reading.js";
import type { Twin } from "./twin.js";
import { sameValue, textOf, type Value } from "./value.js";

/** How long a command waits for a reading that confirms it, unless its point says otherwise. */
export const CONFIRM_WITHIN: Millis = 10_000;
/** A device that took another value may still be on its way: dimming lamps report each step. */
const SETTLES_WITHIN: Millis = 3_000;

/** The clock of a source may be this much behind ours, and its seconds may be cut off. */
const SOURCE_CLOCK_BEHIND: Millis = 5_000;

/**
 * Wait until a live reading of `point` says `value`: design §3.4.
 *
 * Start it before the command is sent. A reading that only repeats the old value decides nothing before the time is up,
 * since it may have been under way already; another value decides when no better one follows within three seconds.
 *
 * @throws {GatewayError} `device-timeout`, `device-differs`; what `signal` says when it aborts first.
 */
export function confirmation(twin: Twin, point: string, value: Value, clock: Clock, within: Millis, signal: AbortSignal): Promise<Reading> {
	const found = twin.device.points[point];
	const step = found?.kind === "numeric" ? (found.step ?? 0) : 0;
	const before = twin.readings.get(point)?.value;
	return new Promise((resolve, reject) => {
		let other: Reading | undefined;
		let cancelSettling = (): void => {};
		const end = (): void => {
			stopListening();
			cancelTimeout();
			cancelSettling();
			signal.removeEventListener("abort", aborted);
		};
		const differs = (reading: Reading): void => {
			end();
			reject(new GatewayError("device-differs", `Cannot confirm "${point}" of ${twin.device.name}: it was told ${textOf(value)} and says ${textOf(reading.value)}`));
		};
		const aborted = (): void => {
			end();
			reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
		};
		const began = clock.now();
		const stopListening = twin.listen((reading) => {
			if (reading.point !== point || reading.quality === "error") return;
			// A time that the source states, and that lies before the command, is of before the command.
			if (reading.at !== reading.received && reading.at < began - SOURCE_CLOCK_BEHIND) return;
			if (sameValue(reading.value, value, step)) {
				end();
				resolve(reading);
				return;
			}
			const moved = before === undefined || !sameValue(reading.value, before) || other !== undefined;
			if (!moved) return;
			if (other && sameValue(other.value, reading.value)) return;
			other = reading;
			cancelSettling();
			cancelSettling = clock.after(SETTLES_WITHIN, () => differs(reading));
		});
		const cancelTimeout = clock.after(within, () => {
			const latest = twin.readings.get(point);
			if (other) return differs(other);
			end();
			const says = latest === undefined ? "" : `, it last said ${textOf(latest.value)}`;
			reject(new GatewayError("device-timeout", `Cannot confirm "${point}" of ${twin.device.name}: no reading said ${textOf(value)} within ${Math.round(within / 1_000)} s${says}`));
		});
		signal.addEventListener("abort", aborted, { once: true });
		if (signal.aborted) aborted();
	});
}

import type { UnixMillis } from "./clock.js";
import type { Reading } from "./reading.js";
import type { Twin } from "./twin.js";
import { textOf } from "./value.js";

/** Stated times of one point that are remembered: a pack of measurements that is told twice has some. */
const MOST = 16;

/** Tells a reading that was told before, with the same time of its source and the same digits, from a new one. */
export class Repeats {
	readonly #told = new WeakMap<Twin, Map<string, { readonly at: UnixMillis; readonly text: string }[]>>();

	/** Was this told before? It was from now on. A reading without a time of its own never is. */
	isRepeated(twin: Twin, { point, at, received, value }: Reading): boolean {
		if (at === received) return false;
		const text = textOf(value);
		const last = twin.readings.get(point);
		const points = this.#told.get(twin) ?? new Map<string, { readonly at: UnixMillis; readonly text: string }[]>();
		this.#told.set(twin, points);
		// After a restart the last one is known from the store.
		const told = points.get(point) ?? (last ? [{ at: last.at, text: textOf(last.value) }] : []);
		points.set(point, told);
		if (told.some((before) => before.at === at && before.text === text)) return true;
		told.push({ at, text });
		if (told.length > MOST) told.shift();
		return false;
	}
}

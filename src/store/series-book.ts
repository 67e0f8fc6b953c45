import type { Entry, Place } from "../core/journal.js";
import { type Series, type Wanted } from "./protocol.js";
import { kindOf } from "./row.js";

/** Which number each point of each device has in the journal: one for each kind and unit that it was ever written in. As large as the registry of devices lets it be. */
export class SeriesBook {
	readonly #places = new Map<string, Map<string, Series>>();
	readonly #byId = new Map<number, Series>();
	#unsaved: Series[] = [];
	#next = 1;

	/** What the file has. */
	load(all: readonly Series[]): void {
		for (const series of all) this.#add(series);
	}

	/** The number of an entry's series. */
	idOf({ link, address, reading: { point, value }, unit: given }: Entry): number {
		const kind = kindOf(value);
		const unit = given ?? "";
		const known = this.#places.get(placeKey({ link, address }))?.get(seriesKey(point, kind, unit));
		if (known) return known.id;
		const series = { id: this.#next, link, address, point, kind, unit };
		this.#add(series);
		this.#unsaved.push(series);
		return series.id;
	}

	/** @throws TypeError for a number that was never given. */
	byId(id: number): Series {
		const found = this.#byId.get(id);
		if (!found) throw new TypeError(`Cannot find series ${id}: it was never numbered`);
		return found;
	}

	/** Those of these points. */
	wanted(place: Place, points: readonly string[]): Wanted["series"] {
		const order = new Map(points.map((point, index) => [point, index]));
		return [...(this.#places.get(placeKey(place))?.values() ?? [])].flatMap(({ id, point, kind, unit }) => {
			const index = order.get(point);
			return index === undefined ? [] : [{ id, point: index, kind, unit }];
		});
	}

	/** Those that no file has yet; they are taken for written. */
	takeUnsaved(): readonly Series[] {
		return this.#unsaved.splice(0);
	}

	/** They were not written after all. */
	putBack(series: readonly Series[]): void {
		this.#unsaved = [...series, ...this.#unsaved];
	}

	/** The file is a new one. */
	forgetSaved(): void {
		this.#unsaved = [...this.#byId.values()];
	}

	#add(series: Series): void {
		const key = placeKey(series);
		let place = this.#places.get(key);
		if (!place) this.#places.set(key, (place = new Map()));
		place.set(seriesKey(series.point, series.kind, series.unit), series);
		this.#byId.set(series.id, series);
		this.#next = Math.max(this.#next, series.id + 1);
	}
}

function placeKey({ link, address }: Place): string {
	return `${link}\0${address}`;
}

function seriesKey(point: string, kind: number, unit: string): string {
	return `${point}\0${kind}\0${unit}`;
}

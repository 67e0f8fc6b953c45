import type { UnixMillis } from "./clock.js";
import type { Announcement, Device } from "./device.js";
import { GatewayError } from "./errors.js";
import { findPoint, type Point, type Points, refined, type Refinement } from "./point.js";
import { Twin } from "./twin.js";

/** What the config says of one device: it renames and refines what the link announces, or places what announces nothing. */
export interface Naming {
	readonly id: string;
	readonly link: string;
	readonly address: string;
	readonly name?: string;
	readonly every?: number;
	/** Refinements by point name: label, range, unit, confirm … laid over what the source says. */
	readonly points?: Readonly<Record<string, Refinement>>;
}

/** More devices than any small gateway carries: a sender of endless new names is a fault, not a fleet. */
const MAX_DEVICES = 10_000;

/** All devices of this gateway, found by name (from the north) or by place (from the south). */
export class Registry {
	#byId = new Map<string, Twin>();
	#byPlace = new Map<string, Twin>();
	readonly #namings: ReadonlyMap<string, Naming>;
	/** Ids that the config gives away, and to which place. */
	readonly #reserved: ReadonlyMap<string, string>;

	constructor(namings: readonly Naming[] = []) {
		this.#namings = new Map(namings.map((naming) => [place(naming.link, naming.address), naming]));
		this.#reserved = new Map(namings.map((naming) => [naming.id, place(naming.link, naming.address)]));
	}

	/**
	 * A link says that it has this device: make its twin, or take the new description. `merged` are twins that turned out to
	 * be the same device, and are gone.
	 *
	 * @throws {GatewayError} `bad-config` when its id is another device's already, or there are too many devices.
	 */
	announce(link: string, announcement: Announcement, now: UnixMillis): { readonly twin: Twin; readonly isNew: boolean; readonly merged: readonly Twin[] } {
		const device = this.#named(link, announcement);
		const places = [announcement.address, ...(announcement.aliases ?? [])].map((address) => place(link, address));
		const [known, ...others] = new Set(places.flatMap((at) => this.#byPlace.get(at) ?? []));
		if (known) {
			this.#claim(device, places, [known, ...others]);
			// What was two devices is one now, known by several addresses.
			for (const other of others) this.#drop(other);
			this.#byId.delete(known.device.id);
			known.redefine(device);
			this.#byId.set(device.id, known);
			for (const at of places) this.#byPlace.set(at, known);
			return { twin: known, isNew: false, merged: others };
		}
		this.#claim(device, places, []);
		if (this.#byId.size >= MAX_DEVICES) throw new GatewayError("bad-config", `Cannot add device "${device.id}": there are ${MAX_DEVICES} already`);
		const twin = new Twin(device, now);
		this.#byId.set(device.id, twin);
		for (const at of places) this.#byPlace.set(at, twin);
		return { twin, isNew: true, merged: [] };
	}

	/** The source took the device back. */
	remove(link: string, address: string): Twin | undefined {
		const twin = this.#byPlace.get(place(link, address));
		if (!twin) return undefined;
		this.#drop(twin);
		return twin;
	}

	/** @throws {GatewayError} `unknown-device`. */
	byId(id: string): Twin {
		const twin = this.find(id);
		if (!twin) throw new GatewayError("unknown-device", `Cannot find device "${id}"`);
		return twin;
	}

	find(id: string): Twin | undefined {
		return this.#byId.get(id.toLowerCase());
	}

	/** Nothing for an unknown place: a stranger may speak on the bus. */
	byPlace(link: string, address: string): Twin | undefined {
		return this.#byPlace.get(place(link, address));
	}

	all(): Iterable<Twin> {
		return this.#byId.values();
	}

	get size(): number {
		return this.#byId.size;
	}

	#drop(twin: Twin): void {
		this.#byId.delete(twin.device.id);
		for (const [at, other] of this.#byPlace) if (other === twin) this.#byPlace.delete(at);
	}

	#claim(device: Device, places: readonly string[], selves: readonly Twin[]): void {
		const reserved = this.#reserved.get(device.id);
		// Whoever may speak on a link could take the id, and with it the rights, of a device that the config names.
		if (reserved !== undefined && !places.includes(reserved)) throw new GatewayError("bad-config", `Cannot add device "${device.id}" of link "${device.link}" (${device.address}): "devices:" gives that id to another one`);
		const other = this.#byId.get(device.id);
		if (other && !selves.includes(other)) {
			throw new GatewayError("bad-config", `Cannot add device "${device.id}" of link "${device.link}" (${device.address}): link "${other.device.link}" (${other.device.address}) has that id; give one of them another id under "devices:"`);
		}
	}

	#named(link: string, announcement: Announcement): Device {
		const naming = [announcement.address, ...(announcement.aliases ?? [])].map((address) => this.#namings.get(place(link, address))).find((found) => found !== undefined);
		return {
			...announcement,
			source: announcement,
			link,
			id: naming?.id ?? idFrom(announcement.address),
			name: naming?.name ?? announcement.name ?? naming?.id ?? announcement.address,
			points: naming?.points ? refine(announcement.points, naming.points) : announcement.points,
			...(naming?.every !== undefined && { every: naming.every }),
		};
	}
}

/** The device id that a source's address makes: design §3.3. XEP-0106 is the north wing's business. */
export function idFrom(address: string): string {
	return address.normalize("NFC").trim().toLowerCase();
}

function refine(points: Points, refinements: Readonly<Record<string, Refinement>>): Points {
	const all: Record<string, Point> = { ...points };
	for (const [name, refinement] of Object.entries(refinements)) {
		const found = findPoint(points, name);
		if (found) all[found[0]] = refined(found[1], refinement);
	}
	return all;
}

function place(link: string, address: string): string {
	return `${link}\n${address.toLowerCase()}`;
}

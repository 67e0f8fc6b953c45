import type { UnixMillis } from "./clock.js";
import type { Announcement, Device } from "./device.js";
import { GatewayError } from "./errors.js";
import { findPoint, type Point, type Points, refined, type Refinement } from "./point.js";
import { type ReportRule, ruleOf } from "./report.js";
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
	#namings: ReadonlyMap<string, Naming> = new Map();
	/** Ids that the config gives away, and to which place. */
	#reserved: ReadonlyMap<string, string> = new Map();
	#reports: readonly ReportRule[];

	/** @param reports The rules of `report:`: how old the values of which points may be. */
	constructor(namings: readonly Naming[] = [], reports: readonly ReportRule[] = []) {
		this.configure(namings);
		this.#reports = reports;
	}

	/** The config names and refines devices in this way from now on. Twins follow when they are announced anew. */
	configure(namings: readonly Naming[]): void {
		this.#namings = new Map(namings.map((naming) => [place(naming.link, naming.address), naming]));
		this.#reserved = new Map(namings.map((naming) => [naming.id, place(naming.link, naming.address)]));
	}

	/** Values may be so old from now on. Twins follow at once. */
	report(rules: readonly ReportRule[]): void {
		this.#reports = rules;
		for (const twin of this.#byId.values()) {
			const points = withAges(rules, twin.device.id, twin.device.points);
			if (points !== twin.device.points) twin.redefine({ ...twin.device, points });
		}
	}

	/** Is this twin as the config wants it to be? */
	isNamed({ device }: Twin): boolean {
		return JSON.stringify(this.#named(device.link, device.source)) === JSON.stringify(device);
	}

	/** Take its id from a twin, which gets one again when it is announced: several may change theirs at once. */
	free(twin: Twin): void {
		this.#free(twin);
	}

	/** Does the config give its id to another device? */
	isDisowned({ device }: Twin): boolean {
		const reserved = this.#reserved.get(device.id);
		return reserved !== undefined && ![device.address, ...(device.aliases ?? [])].some((address) => place(device.link, address) === reserved);
	}

	/** The id that a device of this place has, or would have. */
	idOf(link: string, announcement: Announcement): string {
		return this.#named(link, announcement).id;
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
			this.#free(known);
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

	#free(twin: Twin): void {
		if (this.#byId.get(twin.device.id) === twin) this.#byId.delete(twin.device.id);
	}

	#drop(twin: Twin): void {
		this.#free(twin);
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
		const id = naming?.id ?? idFrom(announcement.address);
		return {
			...announcement,
			source: announcement,
			link,
			id,
			name: naming?.name ?? announcement.name ?? naming?.id ?? announcement.address,
			points: withAges(this.#reports, id, naming?.points ? refine(announcement.points, naming.points) : announcement.points),
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

/** The points with the `maxAge` that the rules give to each; the same object where that is no other. */
function withAges(rules: readonly ReportRule[], device: string, points: Points): Points {
	const all: Record<string, Point> = {};
	let isOther = false;
	for (const [name, point] of Object.entries(points)) {
		const { maxAge: before, ...rest } = point;
		const maxAge = rules.length === 0 ? undefined : ruleOf(rules, device, name)?.maxAge;
		isOther ||= maxAge !== before;
		all[name] = maxAge === before ? point : { ...rest, ...(maxAge !== undefined && { maxAge }) };
	}
	return isOther ? all : points;
}

function place(link: string, address: string): string {
	return `${link}\n${address.toLowerCase()}`;
}

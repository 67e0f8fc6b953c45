import type { Access } from "../../core/access.js";
import type { UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { isReadable, isStale, isWritable, type Point } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import type { Request, Verbs } from "../module.js";
import { formatDateTime } from "./datetime.js";
import { short, type Target, targetsOf } from "./nodes.js";
import { Pieces } from "./pieces.js";
import type { Failure, Field, Flag, Group, Part, ReadoutCodec, ReadoutRequest } from "./request.js";

/** What stands where no calendar has the time. */
export const FIRST_MOMENT = "1970-01-01T00:00:00Z";

/** What will be read of one device. */
export interface Planned extends Target {
	/** The fields that were asked for by name, each of which is accounted for; nothing for all that he may read. */
	readonly names: readonly string[] | undefined;
}

/**
 * What a request asks for, of what this asker may see.
 *
 * @throws {GatewayError} `unknown-device`, `unknown-point`: the same for what does not exist and for what he may not see; `not-readable`.
 */
export function plan(wish: ReadoutRequest, request: Pick<Request, "twin" | "who">, codec: ReadoutCodec, verbs: Pick<Verbs, "registry" | "access">): readonly Planned[] {
	const everything = request.twin === undefined && wish.nodes.length === 0 && codec.everyNode;
	const targets = everything ? everyDevice(verbs) : targetsOf(request, wish.nodes, verbs);
	if (wish.fields.length === 0) return targets.map((target) => ({ ...target, names: undefined }));
	const missing = new Map(wish.fields.map((name) => [name.toLowerCase(), name]));
	const wanted = new Set(missing.keys());
	const writeOnly = new Set<string>();
	const planned = targets.map((target) => {
		const { id, points } = target.twin.device;
		// Of a fleet the rules are asked only about what was asked for.
		const allowed = Object.keys(points).filter((name) => wanted.has(name.toLowerCase()) && verbs.access.mayRead(request.who, id, name));
		const readable = allowed.filter((name) => isReadable(points[name]!));
		const byName = new Map(readable.map((name) => [name.toLowerCase(), name]));
		for (const name of readable) byName.set(name, name); // as it is written, before without case
		for (const name of allowed) if (!isReadable(points[name]!)) writeOnly.add(name.toLowerCase());
		const names = wish.fields.map((name) => byName.get(name) ?? byName.get(name.toLowerCase())).filter((name) => name !== undefined);
		for (const name of names) missing.delete(name.toLowerCase());
		return { ...target, names };
	});
	// A field that one of several devices has is no mistake; the others have nothing to say to it.
	const [unknown] = missing;
	if (unknown) {
		const [folded, name] = unknown;
		if (writeOnly.has(folded)) throw new GatewayError("not-readable", `Cannot read "${short(name)}": it can only be set`);
		throw new GatewayError("unknown-point", `Cannot find field "${short(name)}"`);
	}
	return planned;
}

/** What of each he may see is asked when its turn comes. */
function everyDevice({ registry }: Pick<Verbs, "registry">): Target[] {
	return [...registry.all()].map((twin) => ({ twin, node: { id: twin.device.id } }));
}

/**
 * The answer in pieces that fit into a stanza each, made one at a time: the fleet is never in memory twice. The last one is `done`.
 *
 * @param budget Bytes of each piece, without what stands around its nodes.
 */
export function* partsOf(wish: ReadoutRequest, planned: readonly Planned[], who: string, codec: ReadoutCodec, budget: number, verbs: Pick<Verbs, "access" | "clock">): Generator<Part> {
	const pieces = new Pieces(codec, budget);
	for (const group of groupsOf(wish, planned, who, verbs, pieces.failures)) yield* pieces.add(group);
	yield* pieces.end();
}

/**
 * What of the plan has a value, device by device, oldest first. What should have one and has none goes to `failures`.
 *
 * @param verbs The rules are those of the moment in which a device has its turn.
 */
export function* groupsOf(wish: ReadoutRequest, planned: readonly Planned[], who: string, verbs: Pick<Verbs, "access" | "clock">, failures: Failure[]): Generator<Group> {
	for (const { twin, node, names } of planned) {
		const { access, clock } = verbs;
		const { id: device, name: deviceName, points } = twin.device;
		const timestamp = formatDateTime(clock.now()) ?? FIRST_MOMENT;
		const fail = (text: string, point?: string): void => void failures.push({ node, device, timestamp, text, ...(point !== undefined && { point }) });
		const wanted = (names?.filter((name) => access.mayRead(who, device, name)) ?? access.readable(who, device, points)).filter((name) => Object.hasOwn(points, name) && isWanted(wish, points[name]!));
		const readings = wanted.map((name) => twin.readings.get(name)).filter((reading) => reading !== undefined);
		if (wanted.length > 0 && readings.length === 0) fail(`Cannot read "${deviceName}": ${twin.heard === undefined ? (twin.reason ?? "not heard from yet") : "no value yet"}`);
		else if (names) for (const name of wanted) if (!twin.readings.has(name)) fail(`Cannot read "${name}" of "${deviceName}": no value yet`, name);
		yield* momentsOf({ twin, node }, readings, who, access, clock.now());
	}
}

/**
 * What of a part he may see by the rules of now: it may have been made under others.
 *
 * @returns Nothing where nothing is left of it, and it is not the last one.
 */
export function stillSeen(part: Part, who: string, { access, registry }: Pick<Verbs, "access" | "registry">): Part | undefined {
	if (part.kind === "failure") {
		const failures = part.failures.filter(({ device, point }) => {
			const twin = registry.find(device);
			return twin !== undefined && access.maySee(who, device, twin.device.points) && (point === undefined || access.mayRead(who, device, point));
		});
		return failures.length > 0 ? { ...part, failures } : { kind: "fields", groups: [], done: true };
	}
	const groups = part.groups.map((group) => ({ ...group, fields: group.fields.filter(({ name }) => access.mayRead(who, group.device, name)) })).filter(({ fields }) => fields.length > 0);
	return groups.length > 0 || part.done ? { ...part, groups } : undefined;
}

/**
 * Readings of one device as they are told to him, moment by moment, oldest first.
 *
 * @param now They are told as the present: what is stale is flagged. Left out for readings that are told as news or as history.
 */
export function momentsOf({ twin: { device: { id: device, points } }, node }: Target, readings: readonly Reading[], who: string, access: Access, now?: UnixMillis): Group[] {
	return byMoment(readings).map(([timestamp, same]) => ({
		node, device, timestamp,
		fields: same.map((reading): Field => {
			const point = points[reading.point]!;
			return {
				name: reading.point, value: reading.value, point, category: point.category ?? "momentary", flags: flagsOf(reading, now !== undefined && isStale(point, reading, now)),
				writable: isWritable(point) && access.maySet(who, device, reading.point),
			};
		}),
	}));
}

/** Categories are a union. A request without any means momentary values, or the fields that it names. */
export function isWanted({ categories, fields }: ReadoutRequest, { category = "momentary" }: Point): boolean {
	if (categories.size > 0) return categories.has(category);
	return fields.length > 0 || category === "momentary";
}

function byMoment(readings: readonly Reading[]): [string, Reading[]][] {
	const groups = new Map<string, Reading[]>();
	for (const reading of [...readings].sort((a, b) => stated(a) - stated(b))) {
		const at = momentOf(reading);
		const same = groups.get(at);
		if (same) same.push(reading);
		else groups.set(at, [reading]);
	}
	return [...groups];
}

/** The source's time as it is told; that of receipt where no calendar has the other. */
export function momentOf(reading: Reading): string {
	return formatDateTime(stated(reading)) ?? FIRST_MOMENT;
}

function stated({ at, received }: Reading): UnixMillis {
	return formatDateTime(at) === undefined ? received : at;
}

/**
 * XEP-0323 §5.7. A stale value was read out, at the time that is told with it: it is no estimate and not missing, and its time
 * needs no offset, unless that is unknown. It is valid with a reservation, which is what `warning` is for.
 */
export function flagsOf({ quality, ageUnknown, at }: Reading, stale = false): Flag[] {
	const flags: Flag[] = [quality === "estimate" ? "automaticEstimate" : "automaticReadout"];
	if (ageUnknown || formatDateTime(at) === undefined) flags.push("timeOffset");
	if (stale) flags.push("warning");
	if (quality === "error") flags.push("error");
	return flags;
}

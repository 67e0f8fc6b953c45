import type { UnixMillis } from "../../core/clock.js";
import { GatewayError } from "../../core/errors.js";
import { isReadable, isWritable, type Point } from "../../core/point.js";
import type { Reading } from "../../core/reading.js";
import type { Request, Verbs } from "../module.js";
import { formatDateTime } from "./datetime.js";
import { short, type Target, targetsOf } from "./nodes.js";
import type { Failure, Field, Flag, Group, Part, ReadoutCodec, ReadoutRequest } from "./request.js";

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
	const writeOnly = new Set<string>();
	const planned = targets.map((target) => {
		const { id, points } = target.twin.device;
		const readable = verbs.access.readable(request.who, id, points);
		const byName = new Map(readable.map((name) => [name.toLowerCase(), name]));
		for (const name of readable) byName.set(name, name); // as it is written, before without case
		for (const [name, point] of Object.entries(points)) if (!isReadable(point) && verbs.access.mayRead(request.who, id, name)) writeOnly.add(name.toLowerCase());
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
	const failures: Failure[] = [];
	let waiting: readonly Group[] | undefined;
	for (const groups of pack(groupsOf(wish, planned, who, verbs, failures), codec, budget, failures)) {
		if (waiting) yield { kind: "fields", groups: waiting, done: false };
		waiting = groups;
	}
	// slixmpp crashes on data after a failure, and knows no `<done/>`: an empty answer is empty fields.
	if (waiting || failures.length === 0) yield { kind: "fields", groups: waiting ?? [], done: failures.length === 0 };
	if (failures.length > 0) yield { kind: "failure", failures: fitting(failures, codec, budget), done: true };
}

/** What of the plan has a value, device by device, oldest first. What should have one and has none goes to `failures`. */
function* groupsOf(wish: ReadoutRequest, planned: readonly Planned[], who: string, { access, clock }: Pick<Verbs, "access" | "clock">, failures: Failure[]): Generator<Group> {
	for (const { twin, node, names } of planned) {
		const { id: device, name: deviceName, points } = twin.device;
		const timestamp = formatDateTime(clock.now()) ?? "1970-01-01T00:00:00Z";
		const fail = (text: string): void => void failures.push({ node, device, timestamp, text });
		const wanted = (names ?? access.readable(who, device, points)).filter((name) => Object.hasOwn(points, name) && isWanted(wish, points[name]!));
		const readings = wanted.map((name) => twin.readings.get(name)).filter((reading) => reading !== undefined);
		if (wanted.length > 0 && readings.length === 0) fail(`Cannot read "${deviceName}": ${twin.heard === undefined ? (twin.reason ?? "not heard from yet") : "no value yet"}`);
		else if (names) for (const name of wanted) if (!twin.readings.has(name)) fail(`Cannot read "${name}" of "${deviceName}": no value yet`);
		for (const [at, same] of byMoment(readings)) {
			yield {
				node, device, timestamp: at,
				fields: same.map((reading): Field => {
					const point = points[reading.point]!;
					return {
						name: reading.point, value: reading.value, point, category: point.category ?? "momentary", flags: flagsOf(reading),
						writable: isWritable(point) && access.maySet(who, device, reading.point),
					};
				}),
			};
		}
	}
}

/** Categories are a union. A request without any means momentary values, or the fields that it names. */
function isWanted({ categories, fields }: ReadoutRequest, { category = "momentary" }: Point): boolean {
	if (categories.size > 0) return categories.has(category);
	return fields.length > 0 || category === "momentary";
}

function byMoment(readings: readonly Reading[]): [string, Reading[]][] {
	const groups = new Map<string, Reading[]>();
	for (const reading of [...readings].sort((a, b) => stated(a) - stated(b))) {
		const at = formatDateTime(stated(reading)) ?? "1970-01-01T00:00:00Z";
		const same = groups.get(at);
		if (same) same.push(reading);
		else groups.set(at, [reading]);
	}
	return [...groups];
}

/** The source's time, unless no calendar has it. */
function stated({ at, received }: Reading): UnixMillis {
	return formatDateTime(at) === undefined ? received : at;
}

function flagsOf({ quality, ageUnknown, at }: Reading): Flag[] {
	const flags: Flag[] = [quality === "estimate" ? "automaticEstimate" : "automaticReadout"];
	if (ageUnknown || formatDateTime(at) === undefined) flags.push("timeOffset");
	if (quality === "error") flags.push("error");
	return flags;
}

/** Cut groups into batches of a stanza each. A field that would fill one alone goes to `failures`: cut text would be a false value. */
function* pack(groups: Iterable<Group>, codec: ReadoutCodec, budget: number, failures: Failure[]): Generator<readonly Group[]> {
	let batch: Group[] = [];
	let bytes = 0;
	for (const group of groups) {
		const around = bytesOf(codec.part("", { kind: "fields", groups: [{ ...group, fields: [] }], done: false }).toString());
		let fields: Field[] = [];
		const close = (): void => {
			if (fields.length > 0) batch.push({ ...group, fields });
			fields = [];
		};
		for (const field of group.fields) {
			const size = bytesOf(codec.field(field).toString());
			if (around + size > budget) {
				failures.push({ node: group.node, device: group.device, timestamp: group.timestamp, text: `Cannot send "${short(field.name)}": its value takes ${size} bytes, and one stanza has room for ${budget}` });
				continue;
			}
			if (bytes + size + (fields.length === 0 ? around : 0) > budget) {
				close();
				yield batch;
				batch = [];
				bytes = 0;
			}
			bytes += size + (fields.length === 0 ? around : 0);
			fields.push(field);
		}
		close();
	}
	if (batch.length > 0) yield batch;
}

/** Of many failures as many as one stanza carries, the rest as a number: there is only one stanza of them. */
function fitting(failures: readonly Failure[], codec: ReadoutCodec, budget: number): readonly Failure[] {
	const summary = (left: number): Failure => ({ ...failures[0]!, text: `Cannot list all that failed: there are ${left} more` });
	const size = (failure: Failure): number => bytesOf(codec.part("", { kind: "failure", failures: [failure], done: true }).toString());
	let bytes = size(summary(failures.length));
	const count = failures.findIndex((failure) => (bytes += size(failure)) > budget);
	if (count < 0) return failures;
	return [...failures.slice(0, count), summary(failures.length - count)];
}

export function bytesOf(text: string): number {
	return Buffer.byteLength(text);
}

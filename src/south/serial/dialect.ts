// What is said on a serial link, in the gateway's words. Above 300 lines: Modbus units and line devices are read beside each other here,
// since a link chooses between them; every other protocol is a file of protocols/.

import type { Announcement } from "../../core/device.js";
import type { Millis } from "../../core/clock.js";
import { GatewayError, messageOf } from "../../core/errors.js";
import { findPoint, isReadable, isWritable, type Points } from "../../core/point.js";
import { isNumeric, textOf, type Value } from "../../core/value.js";
import { type Definition, type LineDefinition, millisPer, type ModbusDefinition } from "../definition.js";
import type { Line, Outgoing, Packet, Registers, Silence } from "../link.js";
import { type Dialect, type Meaning, type Misfit, NOTHING, type Told } from "../meaning.js";
import { MISSES_OF_SILENCE } from "./bus.js";
import type { Framer } from "./framer.js";
import { FrameTalk } from "./frame-talk.js";
import { GenericLines } from "./generic-lines.js";
import { DeviceLinkDialect } from "./device-link-dialect.js";
import { decodeWord, encodeLine, type LineWords, wordsOfLine } from "./line-place.js";
import { LineFramer, MAX_LINE_BYTES } from "./lines.js";
import { type PollPlan, pollPlan } from "./plan.js";
import type { Question, Talk } from "./protocol.js";
import { serialProtocol } from "./protocols/all.js";
import { decodeRegisters, encodeRegisters, lengthOf } from "./register-place.js";

/** A device that the config places on the link. */
export interface SerialDevice {
	/** Modbus: the unit number. Lines: any name; default is the id of the link, for there is one device on such a line. */
	readonly address?: string;
	/** Left out on a line protocol: its points are what its lines say. */
	readonly definition?: Definition;
	/** Wins over that of the definition. */
	readonly every?: Millis;
}

export interface SerialDialectOptions {
	/** The id of the link. */
	readonly link: string;
	/** As the config names it: lines, json-lines, modbus-rtu, frames, or one of protocols/. */
	readonly protocol: string;
	readonly devices: readonly SerialDevice[];
}

/** What a serial link says, in the gateway's words. @throws {GatewayError} `bad-config`, from the constructor. */
export class SerialDialect implements Dialect {
	readonly #units = new Map<number, ModbusUnit>();
	readonly #line: LineDevice | GenericLines | undefined;
	readonly #talk: Talk | undefined;
	readonly #board: DeviceLinkDialect | undefined;
	readonly #longest: number;
	/** What ends a line that is sent. */
	readonly lineEnd: "\n" | "\r\n" | "\r";

	constructor({ link, protocol, devices }: SerialDialectOptions) {
		this.#longest = serialProtocol(protocol)?.longest ?? (protocol === "lines" || protocol === "json-lines" ? MAX_LINE_BYTES : USUAL_LENGTH);
		if (protocol === "cobs-cbor") {
			const described = devices.find((device) => device.definition);
			if (described) throw new GatewayError("bad-config", `Cannot use "${described.definition?.model}" on link "${link}": a device of this protocol describes itself and takes no definition`);
			this.#board = new DeviceLinkDialect(link);
			this.lineEnd = "\n";
			return;
		}
		this.#talk = talkOf(link, protocol, devices);
		if (this.#talk) {
			this.lineEnd = this.#talk.lineEnd ?? "\n";
			return;
		}
		if (protocol !== "lines" && protocol !== "json-lines" && protocol !== "modbus-rtu") throw new GatewayError("bad-config", `Cannot use link "${link}": there is no protocol "${protocol}"`);
		let line: LineDevice | GenericLines | undefined;
		for (const { address, definition, every } of devices) {
			const what = `Cannot use ${definition ? `"${definition.model}"` : "a device"} on link "${link}"`;
			if (definition && definition.protocol !== protocol) throw new GatewayError("bad-config", `${what}: it speaks ${definition.protocol}, and the link ${protocol}`);
			if (definition?.protocol === "modbus-rtu") {
				if (address === undefined || !/^\d{1,3}$/.test(address) || Number(address) < 1 || Number(address) > 255) throw new GatewayError("bad-config", `${what}: its address is the number of the unit, 1 to 247, not "${address ?? ""}"`);
				if (this.#units.has(Number(address))) throw new GatewayError("bad-config", `${what}: unit ${Number(address)} is there twice`);
				this.#units.set(Number(address), new ModbusUnit(definition, Number(address), address, every ?? definition.every));
			} else if (protocol === "modbus-rtu") throw new GatewayError("bad-config", `${what}: unit ${address ?? "?"} needs a definition, for Modbus tells nothing of itself`);
			else if (line) throw new GatewayError("bad-config", `${what}: there is one device on a line of text, and it is configured already`);
			else line = definition ? new LineDevice(definition, address ?? link, every) : new GenericLines(address ?? link, protocol === "json-lines", every);
		}
		this.#line = protocol === "modbus-rtu" ? undefined : (line ?? new GenericLines(link, protocol === "json-lines"));
		this.lineEnd = this.#line instanceof LineDevice ? this.#line.definition.lineEnd : "\n";
	}

	/** What a Modbus link must ask. */
	get polls(): readonly PollPlan[] {
		return [...this.#units.values()].map((unit) => pollPlan(unit.definition, unit.number, unit.every));
	}

	/** How the bytes of the port are cut; Modbus does that itself. */
	framer(): Framer {
		return this.#talk?.framer() ?? new LineFramer();
	}

	/** Longest message in bytes. */
	get longest(): number {
		return this.#longest;
	}

	/** What the link must ask, beside the polls of Modbus. */
	get questions(): readonly Question[] {
		return this.#talk?.questions ?? [];
	}

	announced(): readonly Announcement[] {
		if (this.#board) return this.#board.announced();
		if (this.#talk) return this.#talk.announced?.() ?? [];
		if (this.#line) return this.#line instanceof LineDevice ? [this.#line.announcement()] : [];
		return [...this.#units.values()].map((unit) => unit.announcement());
	}

	decode({ body, received }: Packet): Meaning {
		switch (body.kind) {
			case "line": return this.#talk?.decode(body, received) ?? this.#line?.decode(body) ?? NOTHING;
			case "frame": return this.#talk?.decode(body, received) ?? NOTHING;
			case "registers": return this.#units.get(body.unit)?.decode(body) ?? NOTHING;
			case "silence": return this.#units.get(body.unit)?.silence(body) ?? NOTHING;
			case "schema": case "report": case "pulse": return this.#board?.decode(body, received) ?? NOTHING;
			case "message": return NOTHING;
		}
	}

	encode(address: string, point: string, value: Value): readonly Outgoing[] {
		if (this.#board) return this.#board.encode(address, point, value);
		if (this.#talk) {
			if (this.#talk.encode) return this.#talk.encode(address, point, value);
			throw new GatewayError("not-writable", `Cannot set "${point}" of "${address}": its protocol has no commands`);
		}
		if (this.#line?.address === address) {
			if (this.#line instanceof LineDevice) return this.#line.encode(point, value);
			throw new GatewayError("not-writable", `Cannot set "${point}" of "${address}": it has no definition that says how`);
		}
		const unit = [...this.#units.values()].find((each) => each.address === address);
		if (!unit) throw new GatewayError("unknown-device", `Cannot set "${point}": there is no device "${address}" on this link`);
		return unit.encode(point, value);
	}
}

/** Longest message of most protocols, in bytes. */
const USUAL_LENGTH = 512;

/** What is spoken on a link whose protocol is one of protocols/, or `frames`; nothing for the others. @throws {GatewayError} `bad-config`. */
function talkOf(link: string, name: string, devices: readonly SerialDevice[]): Talk | undefined {
	const protocol = serialProtocol(name);
	if (!protocol && name !== "frames") return undefined;
	for (const { definition } of devices) {
		if (definition && definition.protocol !== name) throw new GatewayError("bad-config", `Cannot use "${definition.model}" on link "${link}": it speaks ${definition.protocol}, and the link ${name}${protocol ? ", whose devices need no definition" : ""}`);
	}
	// The device at the port itself: the one for which the config says no address.
	const device = devices.find(({ address }) => address === undefined) ?? (devices.length === 1 && !protocol?.many ? devices[0] : undefined);
	const options = { link, address: device?.address ?? link, ...(device?.every !== undefined && { every: device.every }) };
	if (protocol) return protocol.talk(options);
	if (device?.definition?.protocol !== "frames") throw new GatewayError("bad-config", `Cannot use link "${link}": on a link with the protocol frames, one device with a definition says what the frames are`);
	if (devices.length > 1 && !device.definition.identity) throw new GatewayError("bad-config", `Cannot use link "${link}": there is one device on a line of frames without an identity, and it has ${devices.length}`);
	return new FrameTalk(device.definition, options, true);
}

/** The point to be set. @throws {GatewayError} `unknown-point`, `not-writable`. */
function writable<P extends { readonly point: Points[string] }>(definition: { readonly model: string; readonly points: Readonly<Record<string, P>> }, name: string): readonly [string, P] {
	const found = findPoint(pointsOf(definition.points), name);
	const point = found && definition.points[found[0]];
	if (!point) throw new GatewayError("unknown-point", `Cannot set "${name}": ${definition.model} has ${Object.keys(definition.points).join(", ")}`);
	if (!isWritable(point.point)) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
	return [found[0], point];
}

function pointsOf(points: Readonly<Record<string, { readonly point: Points[string] }>>): Points {
	return Object.fromEntries(Object.entries(points).map(([name, { point }]) => [name, point]));
}

function announcementOf(definition: Definition, address: string, every: Millis | undefined): Announcement {
	const { model, manufacturer, type, points } = definition;
	return { address, model, type, points: pointsOf(points), ...(manufacturer !== undefined && { manufacturer }), ...(every !== undefined && { every }) };
}

/**
 * One unit of a Modbus line.
 *
 * It is offline when it was silent three times in a row, and online with the next answer; an exception is an answer. How
 * regular it is is judged from its rhythm, like that of every other device.
 */
class ModbusUnit {
	readonly definition: ModbusDefinition;
	readonly number: number;
	readonly address: string;
	readonly every: Millis;
	#misses = 0;

	constructor(definition: ModbusDefinition, number: number, address: string, every: Millis) {
		this.definition = definition;
		this.number = number;
		this.address = address;
		this.every = every;
	}

	announcement(): Announcement {
		return announcementOf(this.definition, this.address, this.every);
	}

	decode({ table, first, values }: Registers): Meaning {
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		for (const [name, { point, at }] of Object.entries(this.definition.points)) {
			const from = at.register - first;
			const to = from + lengthOf(at);
			if (at.table !== table || from < 0 || to > values.length || !isReadable(point)) continue;
			const words = values.slice(from, to);
			const decoded = decodeRegisters(point, at, words);
			if ("value" in decoded) told.push({ address: this.address, point: name, value: decoded.value });
			else misfits.push({ where: this.address, reason: `${name} ${decoded.problem}`, sample: words.map((word) => word.toString(16).toUpperCase().padStart(4, "0")).join(" ") });
		}
		return { ...this.#alive(), told, ...(misfits.length > 0 && { misfits }) };
	}

	silence({ reason, alive }: Silence): Meaning {
		if (alive) return { ...this.#alive(), misfits: [{ where: this.address, reason, sample: "" }] };
		this.#misses++;
		if (this.#misses < MISSES_OF_SILENCE) return NOTHING;
		// Told each time: the twin forgets what was said when the port was gone for a while.
		return { states: [{ address: this.address, state: "offline", reason }] };
	}

	encode(name: string, value: Value): readonly Outgoing[] {
		const [found, { point, at }] = writable(this.definition, name);
		const encoded = encodeRegisters(point, at, value);
		if ("problem" in encoded) throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${found}": ${encoded.problem}`);
		// The definition has refused writable points in the other two tables.
		if (at.table !== "coil" && at.table !== "holding") throw new GatewayError("not-writable", `Cannot set "${found}": the table "${at.table}" is read-only`);
		return [{ kind: "registers", unit: this.number, table: at.table, first: at.register, values: encoded.words, ...(at.multiple && { multiple: true }), ...(at.together && { together: true }) }];
	}

	#alive(): Meaning {
		const silent = this.#misses >= MISSES_OF_SILENCE;
		this.#misses = 0;
		return { heard: [this.address], ...(silent && { states: [{ address: this.address, state: "online" as const }] }) };
	}
}

/** The one device of a line of text, as its definition has it. */
class LineDevice {
	readonly definition: LineDefinition;
	readonly address: string;
	#every: Millis | undefined;

	constructor(definition: LineDefinition, address: string, every?: Millis) {
		this.definition = definition;
		this.address = address;
		this.#every = every ?? definition.every;
	}

	announcement(): Announcement {
		return announcementOf(this.definition, this.address, this.#every);
	}

	decode({ text }: Line): Meaning {
		const heard = [this.address];
		if (this.definition.ignore.some((pattern) => matches(pattern, text))) return { heard };
		const misfit = (reason: string): Misfit => ({ where: this.address, reason, sample: text });
		let words: LineWords;
		try {
			words = wordsOfLine(text, this.definition.protocol === "json-lines", this.definition.separator);
		} catch (error) {
			return { heard, misfits: [misfit(messageOf(error))] };
		}
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		for (const [name, { point, at }] of Object.entries(this.definition.points)) {
			if (!isReadable(point)) continue;
			const word = words(at.where);
			if (word === undefined) continue;
			const decoded = decodeWord(point, at, word);
			if ("value" in decoded) told.push({ address: this.address, point: name, value: decoded.value });
			else misfits.push(misfit(`${name} ${decoded.problem}`));
		}
		if (told.length === 0 && misfits.length === 0) misfits.push(misfit("a line without any of its points"));
		return { heard, told, ...(misfits.length > 0 && { misfits }), ...this.#rhythm(told) };
	}

	encode(name: string, value: Value): readonly Outgoing[] {
		const [found, { point, at }] = writable(this.definition, name);
		const encoded = encodeLine(point, at, value, this.definition.protocol === "json-lines");
		if ("problem" in encoded) throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${found}": ${encoded.problem}`);
		return [{ kind: "line", text: encoded.line }];
	}

	/** A device whose rhythm can be set says itself how often it should be heard from. */
	#rhythm(told: readonly Told[]): Meaning {
		const name = this.definition.everyFrom;
		const point = name === undefined ? undefined : this.definition.points[name]?.point;
		const said = told.find((each) => each.point === name)?.value;
		if (point?.kind !== "numeric" || point.unit === undefined || said === undefined || !isNumeric(said) || !(said.number > 0)) return NOTHING;
		const every = said.number * (millisPer(point.unit) ?? 0);
		if (every === this.#every) return NOTHING;
		this.#every = every;
		return { announced: [this.announcement()] };
	}
}

/** Does the text fit a pattern in which `*` stands for any characters? Linear: each piece is looked for where the one before it ended. */
function matches(pattern: string, text: string): boolean {
	const [head, ...pieces] = pattern.split("*");
	const tail = pieces.pop();
	if (tail === undefined) return text === pattern;
	if (!text.startsWith(head!)) return false;
	let at = head!.length;
	for (const piece of pieces) {
		const found = text.indexOf(piece, at);
		if (found === -1) return false;
		at = found + piece.length;
	}
	return text.length - tail.length >= at && text.endsWith(tail);
}

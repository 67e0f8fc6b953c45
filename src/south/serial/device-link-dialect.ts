// Jidway compact device link: what its readings mean
// Source: docs/device-link.md
// Version: 1

import type { UnixMillis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { type Access, findPoint, isReadable, isWritable, type Point, type Points } from "../../core/point.js";
import { unitFrom } from "../../core/unit.js";
import { isNumeric, type Numeric, numericFromText, textOf, type Value } from "../../core/value.js";
import { decimalFrom, decimalText, roundTo } from "../codec/decimal.js";
import { type Meaning, type Misfit, NOTHING, type Told } from "../meaning.js";
import type { LinkNews, LinkPoint, LinkReport, LinkSchema, LinkSetting } from "./device-link-model.js";

/** What a device may be told: 32 bits with their sign is what a small one has room for, 64 what the link carries. */
const MAX_SETTING = 2n ** 63n - 1n;

/** The one device of a compact link, in the gateway's words: it announces itself. Pure: the same news, the same meanings. */
export class DeviceLinkDialect {
	readonly #link: string;
	#schema: LinkSchema | undefined;
	#points: readonly (readonly [point: LinkPoint, meant: Point])[] = [];
	#silent = false;

	/** @param link The id of the link: the address of a device that has none of its own. */
	constructor(link: string) {
		this.#link = link;
	}

	/** The device, once it has announced itself. */
	announced(): readonly Announcement[] {
		if (!this.#schema) return [];
		const { name, model, firmware, every } = this.#schema;
		const points: Points = Object.fromEntries(this.#points.map(([point, meant]) => [point.name, meant]));
		return [{ address: this.address, points, ...(name !== undefined && { name }), ...(model !== undefined && { model }), ...(firmware !== undefined && { firmware }), ...(every !== undefined && { every }) }];
	}

	get address(): string {
		return this.#schema?.uid || this.#link;
	}

	/** Never throws for what a device says: that is a misfit. */
	decode(news: LinkNews, received: UnixMillis): Meaning {
		switch (news.kind) {
			case "schema": return this.#learn(news);
			case "report": return { ...this.#alive(), ...this.#read(news, received) };
			case "pulse":
				if (!this.#schema) return NOTHING;
				if (news.alive) return this.#alive();
				this.#silent = true;
				// Told each time: the twin forgets what was said when the port was gone for a while.
				return { states: [{ address: this.address, state: "offline", reason: news.reason }] };
		}
	}

	/**
	 * The mirror of decode(): a wish as the device's own whole number.
	 *
	 * @throws {GatewayError} `unknown-device`, `unknown-point`, `not-writable`, `bad-value`.
	 */
	encode(address: string, name: string, value: Value): readonly [LinkSetting] {
		const schema = this.#schema;
		if (!schema || address !== this.address) throw new GatewayError("unknown-device", `Cannot set "${name}": there is no device "${address}" on this link`);
		const found = findPoint(Object.fromEntries(this.#points.map(([point, meant]) => [point.name, meant])), name);
		const index = schema.points.findIndex((point) => point.name === found?.[0]);
		const point = schema.points[index];
		if (!found || !point) throw new GatewayError("unknown-point", `Cannot set "${name}": the device has ${schema.points.map((each) => each.name).join(", ")}`);
		if (!isWritable(found[1])) throw new GatewayError("not-writable", `Cannot set "${point.name}": it is read-only`);
		const raw = rawOf(point, value);
		if (raw === undefined || raw > MAX_SETTING || raw < -MAX_SETTING) throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${point.name}": it takes ${point.kind === "enum" ? `one of ${point.labels.join(", ")}` : point.kind === "boolean" ? "on or off" : "a number that the device has digits for"}`);
		return [{ kind: "setting", schema: schema.id, point: index, value: raw }];
	}

	#learn(schema: LinkSchema): Meaning {
		const gone = this.#schema && (this.#schema.uid || this.#link) !== (schema.uid || this.#link) ? [this.address] : [];
		this.#schema = schema;
		const misfits: Misfit[] = [];
		// What a device that only talks calls writable cannot be set through this link.
		this.#points = schema.points.map((point) => [point, pointOf(point, schema.listens ? point.access : "r")] as const);
		for (const { name, unit } of schema.points) {
			if (unit !== undefined && !unitFrom(unit)) misfits.push({ where: this.address, reason: `${name} has a unit that is not known: it is read without`, sample: unit });
		}
		return { ...this.#alive(), announced: this.announced(), ...(gone.length > 0 && { gone }), ...(misfits.length > 0 && { misfits }) };
	}

	#read({ age, values }: LinkReport, received: UnixMillis): Meaning {
		const told: Told[] = [];
		const misfits: Misfit[] = [];
		for (const [index, [point, meant]] of this.#points.entries()) {
			const raw = values[index];
			if (raw === undefined || !isReadable(meant)) continue;
			const value = valueOf(point, raw);
			if (value !== undefined) told.push({ address: this.address, point: point.name, value, ...(age > 0 && { at: received - age }) });
			else misfits.push({ where: this.address, reason: `${point.name} is none of what it can be`, sample: String(raw) });
		}
		return { told, ...(misfits.length > 0 && { misfits }) };
	}

	#alive(): Meaning {
		const silent = this.#silent;
		this.#silent = false;
		return { heard: [this.address], ...(silent && { states: [{ address: this.address, state: "online" as const }] }) };
	}
}

function pointOf({ kind, decimals, unit, min, max, step, labels }: LinkPoint, access: Access): Point {
	switch (kind) {
		case "numeric": {
			const known = unit === undefined ? undefined : unitFrom(unit);
			const number = (raw: bigint): number => numericOf(raw, decimals).number;
			// Without a step of its own, a point that can be set has the grid of its digits: half of the last one confirms a command.
			const grid = step ?? (access === "r" ? undefined : 1n);
			return {
				kind, access, ...(known !== undefined && { unit: known }), ...(min !== undefined && { min: number(min) }), ...(max !== undefined && { max: number(max) }),
				...(grid !== undefined && { step: number(grid) }), ...(decimals === 0 && { integer: true }),
			};
		}
		case "boolean": return { kind, access };
		case "enum": return { kind, access, labels };
	}
}

function numericOf(raw: bigint, decimals: number): Numeric {
	const text = decimalText({ digits: raw, decimals });
	return numericFromText(text) ?? { text, number: Number(text) };
}

function valueOf({ kind, decimals, labels }: LinkPoint, raw: bigint): Value | undefined {
	switch (kind) {
		case "numeric": return numericOf(raw, decimals);
		case "boolean": return raw === 0n ? false : raw === 1n ? true : undefined;
		case "enum": return raw >= 0n && raw < BigInt(labels.length) ? labels[Number(raw)] : undefined;
	}
}

/** The mirror of valueOf(): decimals that the device has no digits for are rounded away, halves away from zero. */
function rawOf({ kind, decimals, labels }: LinkPoint, value: Value): bigint | undefined {
	switch (kind) {
		case "numeric": {
			const decimal = isNumeric(value) ? decimalFrom(value.text) : undefined;
			return decimal && roundTo(decimal, decimals).digits;
		}
		case "boolean": return typeof value === "boolean" ? BigInt(value) : undefined;
		case "enum": return typeof value === "string" && labels.includes(value) ? BigInt(labels.indexOf(value)) : undefined;
	}
}

import type { Millis } from "../../core/clock.js";
import type { Announcement } from "../../core/device.js";
import { GatewayError } from "../../core/errors.js";
import { findPoint, isReadable, isWritable, type Point, type Points } from "../../core/point.js";
import { textOf, type Value } from "../../core/value.js";
import type { Outgoing } from "../link.js";
import { type Meaning, type Misfit, NOTHING } from "../meaning.js";
import { DeviceBook, type Facts, joined, type Seen } from "./device-book.js";
import { decodeField, encodeFrame, type FrameFormat, type FramePlace, hexText, shapeOf } from "./frame-place.js";
import { type Framer, hexOf } from "./framer.js";
import type { Cut, Question, Talk, TalkOptions } from "./protocol.js";
import { SeekingFramer } from "./seeking-framer.js";

/** A device that speaks in fixed binary frames, as data: a definition of devices/, or one of protocols/. */
export interface FrameModel {
	/** Left out where frames do not tell it. */
	readonly model?: string;
	readonly manufacturer?: string;
	readonly type: string;
	/** How often it speaks by itself. */
	readonly every?: Millis;
	readonly frame: FrameFormat;
	/** The bytes that are the id of the device, where it has one. */
	readonly identity?: { readonly byte: number; readonly bytes: number };
	/** What must be asked, and how often. */
	readonly poll?: { readonly every: Millis; readonly request: Uint8Array };
	readonly points: Readonly<Record<string, { readonly point: Point; readonly at: FramePlace }>>;
}

/** The talk of a device whose frames are described by data alone. */
export class FrameTalk implements Talk {
	readonly #model: FrameModel;
	readonly #options: TalkOptions;
	readonly #points: Points;
	readonly #book = new DeviceBook();
	readonly #announced: readonly Announcement[];
	/** Its points are known before it speaks; otherwise they are what its frames hold. */
	readonly #isFixed: boolean;
	/** The first id that was heard: it is what the config means by the device of this port. */
	#first: string | undefined;
	readonly questions: readonly Question[];

	/** @param isFixed The config names this model: the device is known, with all its points, before it speaks. */
	constructor(model: FrameModel, options: TalkOptions, isFixed: boolean) {
		this.#model = model;
		this.#options = options;
		this.#isFixed = isFixed;
		this.#points = Object.fromEntries(Object.entries(model.points).map(([name, { point }]) => [name, point]));
		this.questions = model.poll ? [{ out: { kind: "frame", bytes: model.poll.request }, every: model.poll.every }] : [];
		this.#announced = isFixed && !model.identity ? (this.#book.hear(this.#facts(options.address), this.#seen(new Map())).announced ?? []) : [];
	}

	framer(): Framer {
		return new SeekingFramer(shapeOf(this.#model.frame));
	}

	announced(): readonly Announcement[] {
		return this.#announced;
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "frame") return NOTHING;
		const { identity, points } = this.#model;
		const readings = new Map<string, Value | undefined>();
		const problems: string[] = [];
		for (const [name, { point, at }] of Object.entries(points)) {
			if (!isReadable(point)) continue;
			const decoded = decodeField(point, at, cut.bytes);
			if (!decoded) continue;
			readings.set(name, "value" in decoded ? decoded.value : undefined);
			if ("problem" in decoded) problems.push(`${name} ${decoded.problem}`);
		}
		// An acknowledgement, or a request that somebody else sent.
		if (readings.size === 0) return NOTHING;
		const address = identity ? hexText(cut.bytes.subarray(identity.byte, identity.byte + identity.bytes)) : this.#options.address;
		const misfits = problems.map((reason): Misfit => ({ where: address, reason, sample: hexOf(cut.bytes) }));
		return joined(this.#book.hear(this.#facts(address), this.#seen(readings)), { misfits });
	}

	encode(address: string, name: string, value: Value): readonly Outgoing[] {
		if (!this.#book.find(address)) throw new GatewayError("unknown-device", `Cannot set "${name}": there is no device "${address}" on this link`);
		const found = findPoint(this.#points, name);
		const point = found && this.#model.points[found[0]];
		if (!point) throw new GatewayError("unknown-point", `Cannot set "${name}": the device has ${Object.keys(this.#points).join(", ")}`);
		if (!isWritable(point.point)) throw new GatewayError("not-writable", `Cannot set "${found[0]}": it is read-only`);
		const encoded = encodeFrame(point.point, point.at, value, this.#model.frame.checksum);
		if ("problem" in encoded) throw new GatewayError("bad-value", `Cannot use "${textOf(value)}" for "${found[0]}": ${encoded.problem}`);
		return [{ kind: "frame", bytes: encoded.bytes }];
	}

	#seen(readings: ReadonlyMap<string, Value | undefined>): Seen[] {
		return Object.entries(this.#points)
			.filter(([name, point]) => this.#isFixed || readings.has(name) || !isReadable(point))
			.map(([point, as]) => ({ point, as, value: readings.get(point) }));
	}

	#facts(address: string): Facts {
		const { model, manufacturer, type, poll, identity } = this.#model;
		const every = this.#options.every ?? poll?.every ?? this.#model.every;
		this.#first ??= address;
		return {
			address, type, ...(model !== undefined && { model }), ...(identity && address === this.#first && { aliases: [this.#options.address] }),
			...(manufacturer !== undefined && { manufacturer }), ...(every !== undefined && { every }),
		};
	}
}

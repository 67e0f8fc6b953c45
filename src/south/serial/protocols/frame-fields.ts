import { ZERO } from "../../codec/decimal.js";
import type { Point } from "../../../core/point.js";
import type { Unit } from "../../../core/unit.js";
import { type ByteType, type FramePlace, widthOf } from "../frame-place.js";

/** Bytes from their hexadecimal digits. */
export function bytesFrom(hex: string): Uint8Array {
	return Uint8Array.from(hex.replaceAll(" ", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

interface Extra extends Partial<Omit<FramePlace, "scale">> {
	readonly unit?: Unit;
	/** So many of its digits stand behind the decimal point. */
	readonly places?: number;
	readonly label?: string;
}

/** A numeric field of a frame, for the models that are written here. */
export function field(byte: number, type: ByteType, { unit, places = 0, label, ...extra }: Extra): { readonly point: Point; readonly at: FramePlace } {
	return {
		point: { kind: "numeric", access: "r", ...(unit !== undefined && { unit }), ...(label !== undefined && { label }) },
		at: { byte, bytes: widthOf(type) ?? 1, type, order: "big", mask: 0xff, scale: { digits: 1n, decimals: places }, offset: ZERO, labels: new Map(), invalid: [], ...extra },
	};
}


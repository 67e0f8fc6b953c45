import { type Frame, type Framer, sampleOf } from "./framer.js";

/** A line of readings has some hundred bytes, a JSON line of a rich sensor one or two thousand. What is longer is noise: a wrong baud rate has no line ends. */
export const MAX_LINE_BYTES = 4_096;

const LF = 0x0a;
const CR = 0x0d;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const latin1 = new TextDecoder("latin1");

/**
 * Cuts a stream into lines that end in CR, LF or both; empty lines are none.
 *
 * A line is UTF-8. One that is not is Latin-1, as simple boards print `°` (0xB0), unless it has bytes that Latin-1 has no
 * letter for: those, and control characters, are what a wrong baud rate looks like. NUL is what an idle or broken line
 * looks like, and is skipped.
 */
export class LineFramer implements Framer<Frame> {
	readonly #line = new Uint8Array(MAX_LINE_BYTES);
	#length = 0;
	#overlong = false;

	push(chunk: Uint8Array): readonly Frame[] {
		const found: Frame[] = [];
		const line = this.#line;
		let length = this.#length;
		for (let at = 0; at < chunk.length; at++) {
			const byte = chunk[at]!;
			if (byte === LF || byte === CR) {
				this.#length = length;
				const frame = this.#take();
				if (frame) found.push(frame);
				length = 0;
			} else if (byte === 0) continue;
			else if (length < MAX_LINE_BYTES) line[length++] = byte;
			else this.#overlong = true;
		}
		this.#length = length;
		return found;
	}

	/** Nothing: people type, and some boards print a line in pieces. */
	idle(): readonly Frame[] {
		return [];
	}

	#take(): Frame | undefined {
		const line = this.#line.subarray(0, this.#length);
		const overlong = this.#overlong;
		this.#length = 0;
		this.#overlong = false;
		if (overlong) return { kind: "fault", reason: `a line of more than ${MAX_LINE_BYTES} bytes; is the baud rate right?`, sample: sampleOf(line), count: line.length };
		if (line.length === 0) return undefined;
		const text = textOfLine(line);
		if (text === undefined) return { kind: "fault", reason: "a line that is no text; is the baud rate right?", sample: sampleOf(line), count: line.length };
		return text.trim() === "" ? undefined : { kind: "frame", text };
	}
}

function textOfLine(line: Uint8Array): string | undefined {
	for (let at = 0; at < line.length; at++) if ((line[at]! < 0x20 && line[at] !== 0x09) || line[at] === 0x7f) return undefined;
	try {
		return strictUtf8.decode(line);
	} catch {
		// The C1 controls are no letters (ISO/IEC 8859-1 leaves 80 to 9F empty). Node decodes them as windows-1252, so they are refused here.
		return line.some((byte) => byte >= 0x80 && byte < 0xa0) ? undefined : latin1.decode(line);
	}
}

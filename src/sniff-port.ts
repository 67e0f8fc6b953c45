// What is at a serial port? Opens it at one setting after the other; what the bytes mean is south/serial/sniff.ts.
import { type Clock, type Millis, pause } from "./core/clock.js";
import { GatewayError } from "./core/errors.js";
import { type PortOpener, serialPorts } from "./south/serial/port.js";
import type { PortMode } from "./south/serial/protocol.js";
import { best, guess, type Heard, MODES, yamlOf } from "./south/serial/sniff.js";

export interface SniffOptions {
	/** Only this baud rate. */
	readonly baud?: number;
	/** How long to listen at each setting. Default: 4. */
	readonly seconds?: number;
	readonly clock: Clock;
	/** Default: the ports of this computer. */
	readonly ports?: PortOpener;
	readonly signal?: AbortSignal;
}

const LISTEN: Millis = 4_000;
/** Enough to tell; a fast talker need not be heard out. */
const ENOUGH_BYTES = 4_096;
/** Explained so well, no other setting is tried. */
const CERTAIN = 0.8;
/** A recording is kept only so far. */
const MAX_BYTES = 65_536;

/**
 * Listen at one setting after the other, guess what speaks there, and write YAML for the config.
 *
 * @param say Takes what is done and found, a line each.
 * @param print Takes the YAML.
 * @returns The exit code: 0, or 1 when nothing was recognised.
 * @throws {GatewayError} `link-down` when the port cannot be opened.
 */
export async function sniffPort(path: string, { baud, seconds, clock, ports = serialPorts(clock), signal = new AbortController().signal }: SniffOptions, say: (text: string) => void, print: (text: string) => void): Promise<number> {
	const modes = baud === undefined ? MODES : [{ baud }, { baud, parity: "even" as const }, { baud, parity: "even" as const, data: 7 as const }];
	const heard: Heard[] = [];
	for (const mode of modes) {
		if (signal.aborted) break;
		const bytes = await listen(path, mode, seconds === undefined ? LISTEN : seconds * 1_000, clock, ports, signal);
		heard.push({ mode, bytes });
		const found = guess(bytes)[0];
		say(`${nameOf(mode)}: ${bytes.length === 0 ? "silence" : `${bytes.length} bytes, ${found ? `${found.evidence} (${Math.round(100 * found.score)} %)` : "nothing that makes sense"}`}`);
		if (found && found.score >= CERTAIN) break;
	}
	const found = best(heard);
	if (found) {
		print(yamlOf(path, found));
		return 0;
	}
	say(heard.every(({ bytes }) => bytes.length === 0)
		? "Nothing was heard. Modbus units, MH-Z19 and modems speak only when they are asked: configure them by their manual. Otherwise look at the wires: RX to TX, A to A, a common ground, and power"
		: "Something speaks, and nothing known fits. Try --seconds 20 for slow talkers, or --baud with what the manual says; a binary format of fixed frames can be described in a definition, see devices/README.md");
	return 1;
}

async function listen(path: string, mode: PortMode, span: Millis, clock: Clock, ports: PortOpener, signal: AbortSignal): Promise<Uint8Array> {
	const full = new AbortController();
	let lost: string | undefined;
	const port = await ports.open({ path, ...mode }, (why) => {
		lost = why;
		full.abort();
	});
	const chunks: Uint8Array[] = [];
	let length = 0;
	port.onData = (chunk) => {
		if (length < MAX_BYTES) chunks.push(chunk.slice(0, MAX_BYTES - length));
		length += chunk.length;
		if (length >= ENOUGH_BYTES) full.abort();
	};
	await pause(clock, span, AbortSignal.any([full.signal, signal]));
	await port.close();
	if (lost !== undefined) throw new GatewayError("link-down", lost);
	const bytes = new Uint8Array(Math.min(length, MAX_BYTES));
	let at = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, at);
		at += chunk.length;
	}
	return bytes;
}

function nameOf({ baud, parity = "none", data = 8 }: PortMode): string {
	return `${baud} ${data}${parity === "none" ? "N" : parity === "even" ? "E" : "O"}1`;
}

import { sniffPort } from "../sniff-port.js";
import { systemClock } from "../system-clock.js";

/**
 * `jidway serial sniff PATH`: what it tries goes to stderr, the lines for the config to stdout.
 *
 * @returns The exit code: 0, or 1 when nothing was recognised.
 * @throws {GatewayError} `link-down` when the port cannot be opened.
 */
export async function serialSniff(path: string, options: { readonly baud?: number; readonly seconds?: number }, stop: AbortSignal): Promise<number> {
	return sniffPort(path, { ...options, clock: systemClock, signal: stop }, (text) => console.error(text), (text) => void process.stdout.write(text));
}

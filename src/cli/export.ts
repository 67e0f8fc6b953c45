import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { finished } from "node:stream/promises";
import { dataFolderOf } from "../config/load.js";
import { GatewayError, messageOf } from "../core/errors.js";
import { type ExportFormat, exportWriter } from "../export-formats.js";
import type { ExportItem } from "../past.js";
import { streamGateway } from "../web/control-socket.js";
import { FIRST_WITHIN_MS } from "./history.js";
import { print } from "./output.js";
import { type WindowOptions, windowFrom } from "./times.js";

export interface ExportOptions extends WindowOptions {
	readonly format: ExportFormat;
	readonly out?: string;
}

const PROGRESS_EVERY_MS = 1_000;
const WRITE_AT_ONCE = 64 * 1024;

/** `jidway export [DEVICE [POINT]]`: to stdout, or to a file that is there only when it is whole. @throws {GatewayError} */
export async function exportAll(configFile: string, device: string | undefined, point: string | undefined, options: ExportOptions, stop: AbortSignal): Promise<void> {
	const request = { ask: "export" as const, ...(device !== undefined && { device }), ...(point !== undefined && { point }), ...windowFrom(options, Date.now()) };
	const items = streamGateway(dataFolderOf(configFile, process.env), request, FIRST_WITHIN_MS, stop);
	const text = texts(items, options.format);
	if (options.out === undefined) {
		for await (const piece of text) await print(piece);
		return;
	}
	if (existsSync(options.out)) throw new GatewayError("bad-request", `Cannot write "${options.out}": there is a file of this name; give another one`);
	// A name that nobody can have put there before, and a file that is ours alone.
	const part = `${options.out}.${randomBytes(6).toString("hex")}.part`;
	const file = createWriteStream(part, { mode: 0o600, flags: "wx" });
	const ended = finished(file);
	ended.catch(() => undefined); // said below
	try {
		for await (const piece of text) {
			if (file.errored) break;
			if (!file.write(piece)) await Promise.race([new Promise<void>((resolve) => file.once("drain", () => resolve())), ended]);
		}
		file.end();
		await ended;
		renameSync(part, options.out);
	} catch (error) {
		file.destroy();
		rmSync(part, { force: true });
		if (error instanceof GatewayError) throw error;
		throw new GatewayError("store-failed", `Cannot write "${options.out}": ${messageOf(error)}`, { cause: error });
	}
}

async function* texts(items: AsyncIterable<unknown>, format: ExportFormat): AsyncGenerator<string> {
	const writer = exportWriter(format);
	const began = Date.now();
	let told = began;
	let count = 0;
	let pending = writer.begin;
	let device = "";
	for await (const found of items) {
		const item = found as ExportItem;
		if ("device" in item) device = item.device;
		else count++;
		pending += writer.item(item);
		if (pending.length >= WRITE_AT_ONCE) {
			yield pending;
			pending = "";
		}
		if (process.stderr.isTTY && Date.now() - told >= PROGRESS_EVERY_MS) {
			told = Date.now();
			process.stderr.write(`\r${count} readings, now of ${device} …\u001b[K`);
		}
	}
	if (told !== began) process.stderr.write(`\r${count} readings exported\u001b[K\n`);
	yield pending + writer.end;
}

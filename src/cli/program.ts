// commander: help, options and suggestions as people know them from other tools.
import { Argument, Command, CommanderError, Option } from "commander";
import { GatewayError, messageOf } from "../core/errors.js";
import { EXPORT_FORMATS } from "../export-formats.js";
import { check } from "./check.js";
import { backup } from "./backup.js";
import { decode, type DecodeOptions } from "./decode.js";
import { devices } from "./devices.js";
import { exportAll, type ExportOptions } from "./export.js";
import { history, HISTORY_FORMATS, type HistoryOptions } from "./history.js";
import { read } from "./read.js";
import { restore } from "./restore.js";
import { run } from "./run.js";
import { SERVERS, serverConfig } from "./server-config.js";
import { loadConfig } from "../config/load.js";
import { serialSniff } from "./serial-sniff.js";
import { set } from "./set.js";
import type { Signals } from "./signals.js";
import { status } from "./status.js";
import { packageVersion } from "./version.js";

/** Exit codes: design §3.1. */
const DONE = 0;
const FAILED = 1;
const WRONG_USE = 2;

interface Options {
	readonly config: string;
	readonly json?: boolean;
	readonly format?: string;
	readonly online?: boolean;
	readonly diff?: boolean;
	readonly record?: string;
}

/** Run one command line. @returns The exit code. */
export async function runProgram(argv: readonly string[], signals: Signals): Promise<number> {
	const { stop } = signals;
	let code = DONE;
	const program = new Command("jidway")
		.description("Edge gateway: every device behind an MQTT broker or a serial port gets an XMPP address of its own")
		.version(packageVersion(), "-V, --version")
		.exitOverride()
		.showSuggestionAfterError()
		.showHelpAfterError("(\"jidway --help\" lists the commands)");
	const command = (name: string, about: string): Command => program.command(name).description(about).option("-c, --config <file>", "the config file", "jidway.yaml");
	const withJson = (name: string, about: string): Command => command(name, about).option("--json", "print JSON, for programs").addOption(new Option("--format <format>").choices(["table", "json"]).default("table"));

	command("run", "run the gateway until it gets SIGTERM or SIGINT, which flushes everything and takes at most 5 s; SIGHUP reads the config again")
		.option("--record <file>", "write everything that passes to a transcript, which a test can play; for finding a fault")
		.action(async (options: Options) => void (code = await run(options.config, options.record, signals)));
	command("check", "validate the config file offline; exit code 0, or 2 with every fault as file:line:column")
		.option("--online", "also try the XMPP server, its secret, the brokers and the ports")
		.option("--diff", "also show what the running gateway would change with this file, and what that touches")
		.action(async (options: Options) => void (code = await check(options.config, options, stop)));
	command("server-config", "print what to add to the XMPP server's configuration (it holds the secret)")
		.addArgument(new Argument("<server>").choices(SERVERS))
		.action((server: (typeof SERVERS)[number], options: Options) => void process.stdout.write(serverConfig(server, loadConfig(options.config, process.env).config)));
	withJson("devices", "list the devices of the running gateway").argument("[pattern]", "ids or names, * for any characters")
		.action((pattern: string | undefined, options: Options) => devices(options.config, pattern, wantsJson(options)));
	withJson("read", "show the last readings of a device").argument("<device>").argument("[point]")
		.action((device: string, point: string | undefined, options: Options) => read(options.config, device, point, wantsJson(options)));
	withJson("set", "set a point of a device, and wait until the device confirms it").argument("<device>").argument("<point>").argument("<value>")
		.action((device: string, point: string, value: string, options: Options) => set(options.config, device, point, value, wantsJson(options)));
	command("history", "print what the journal has of a point: every reading, oldest first, times in UTC").argument("<device>").argument("<point>")
		.option("--since <span>", "from so long ago (90s, 15m, 24h, 7d), or from a time on; without it from the first").option("--from <time>", "from this time on, e.g. 2026-03-04 or 2026-03-04T05:06:07Z").option("--to <time>", "until before this time")
		.option("--bucket <span>", "one line with count, min, mean, max and last for each such span")
		.option("--json", "print JSON, for programs: one object a line").addOption(new Option("--format <format>").choices(HISTORY_FORMATS).default("table"))
		.action((device: string, point: string, options: Options & HistoryOptions) => history(options.config, device, point, { ...options, ...(options.json && { format: "json" }) }, stop));
	command("export", "print all that the journal has: of every device, of one, or of one point").argument("[device]").argument("[point]")
		.option("--since <span>", "from so long ago, or from a time on").option("--from <time>", "from this time on").option("--to <time>", "until before this time")
		.option("--out <file>", "write to this new file, which is there only when it is whole")
		.option("--json", "the same as --format json").addOption(new Option("--format <format>", "CSV (RFC 4180), JSON with one object a line, or SenML (RFC 8428)").choices(EXPORT_FORMATS).default("csv"))
		.action((device: string | undefined, point: string | undefined, options: Options & ExportOptions) => exportAll(options.config, device, point, { ...options, ...(options.json && { format: "json" }) }, stop));
	command("backup", "write everything that the gateway keeps (journal, subscriptions, outbox) into one new file, while it runs or not").argument("<file>")
		.action((file: string, options: Options) => backup(options.config, file));
	command("restore", "bring back what a backup has; the gateway must not run, and what is there now is set aside").argument("<file>")
		.action((file: string, options: Options) => restore(options.config, file));
	withJson("status", "show how the running gateway is: uplink, links, store, and what could not be used")
		.action((options: Options) => status(options.config, wantsJson(options)));
	program.command("decode").description("show what the gateway would make of a message: one on the command line, or JSON lines on stdin; needs no config")
		.option("--topic <topic>", "of an MQTT message").option("--payload <text>", "of an MQTT message").option("--retained", "the broker had kept it: it is no sign of life")
		.option("--protocol <name>", "of a serial port").option("--line <text>", "from a serial port").option("--hex <bytes>", "a payload or a frame in hexadecimal").option("--request <bytes>", "Modbus: the question to this answer, in hexadecimal")
		.option("--json", "print JSON, for programs").addOption(new Option("--format <format>").choices(["table", "json"]).default("table"))
		.action(async (options: DecodeOptions & Pick<Options, "json" | "format">) => void (code = await decode(options, wantsJson(options))));
	program.command("serial").description("look at serial ports").command("sniff").description("listen at a serial port, guess baud rate and protocol, and print lines for the config")
		.argument("<path>", "the port, best one of /dev/serial/by-id").option("--baud <rate>", "only this baud rate", Number).option("--seconds <seconds>", "how long to listen at each setting", Number)
		.action(async (path: string, options: { readonly baud?: number; readonly seconds?: number }) => void (code = await serialSniff(path, options, stop)));

	try {
		await program.parseAsync([...argv], { from: "user" });
		return code;
	} catch (error) {
		if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USE; // commander has said what is wrong
		if (!(error instanceof GatewayError)) throw error;
		console.error(messageOf(error));
		return error.fault === "bad-config" || error.fault === "bad-request" ? WRONG_USE : FAILED;
	}
}

function wantsJson({ json, format }: Pick<Options, "json" | "format">): boolean {
	return json === true || format === "json";
}

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isMap, LineCounter, parseDocument, type Document } from "yaml";
import { GatewayError, messageOf } from "../core/errors.js";
import { nearest } from "../core/nearest.js";
import { knownKeys } from "./known-keys.js";
import { type Config, configSchema } from "./schema.js";

/** One thing that is wrong with a file, and where. */
export interface ConfigFault {
	readonly file: string;
	readonly line: number;
	readonly column: number;
	/** `links[0].url` */
	readonly path: string;
	/** What, why and how to mend it. */
	readonly text: string;
}

/** Every fault of a config file at once. */
export class ConfigError extends GatewayError {
	readonly faults: readonly ConfigFault[];

	constructor(faults: readonly ConfigFault[]) {
		super("bad-config", faults.map(faultLine).join("\n"));
		this.faults = faults;
	}
}

/** `jidway.yaml:12:5: links[0].url: …`, as editors and compilers write it. */
export function faultLine({ file, line, column, path, text }: ConfigFault): string {
	return `${file}:${line}:${column}: ${path === "" ? "" : `${path}: `}${text}`;
}

type Path = readonly PropertyKey[];

/** A config with the places where its parts stand, so that later checks can point at them too. */
export interface LoadedConfig {
	readonly config: Config;
	/** What the file says, before defaults, with what its variables and `file:` stand for. */
	readonly said: unknown;
	readonly file: string;
	/** The folder that relative paths in the file start from. */
	readonly folder: string;
	/** Secrets that the file or its environment named: what a log line must never hold. */
	readonly secrets: readonly string[];
	fault(path: Path, text: string): ConfigFault;
}

/** A config file has no reason to be longer. */
const MAX_CONFIG_BYTES = 1_000_000;
const SECRET_KEYS: ReadonlySet<PropertyKey> = new Set(["secret", "password"]);

/**
 * Read and check a config file.
 *
 * @throws {ConfigError} with all faults that it has; `bad-config` when it cannot be read.
 */
export function loadConfig(file: string, env: Readonly<Record<string, string | undefined>>): LoadedConfig {
	return parseConfig(textOf(file), file, env);
}

/**
 * Only the data folder of a config: what a command needs to find the running gateway, which has read the secrets already.
 *
 * @throws {ConfigError} when the file is no YAML, or names a variable here that is not set; `bad-config` when it cannot be read.
 */
export function dataFolderOf(file: string, env: Readonly<Record<string, string | undefined>>): string {
	const text = textOf(file);
	const document = parseDocument(text.slice(0, MAX_CONFIG_BYTES), { prettyErrors: false });
	if (document.errors.length > 0) throw new ConfigError([{ file, line: 1, column: 1, path: "", text: `is no YAML: "jidway check -c ${file}" says where` }]);
	const said = document.getIn(["gateway", "data"]);
	const folder = typeof said === "string" ? said : configSchema.shape.gateway.parse({}).data;
	return resolve(dirname(resolve(file)), folder.replace(VARIABLE, (_, name: string) => {
		if (!env[name]) throw new ConfigError([{ file, line: 1, column: 1, path: "gateway.data", text: `needs the environment variable ${name}, which is not set` }]);
		return env[name];
	}));
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** @throws {GatewayError} `bad-config` */
function textOf(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (error) {
		const absent = (error as NodeJS.ErrnoException).code === "ENOENT";
		throw new GatewayError("bad-config", absent ? `Cannot find config file "${file}": name another one with -c FILE` : `Cannot read config file "${file}": ${messageOf(error)}`, { cause: error });
	}
}

/** The pure half of loadConfig(). Files named by `file:` are read. @throws {ConfigError} */
export function parseConfig(text: string, file: string, env: Readonly<Record<string, string | undefined>>): LoadedConfig {
	const lines = new LineCounter();
	const tooLong = text.length > MAX_CONFIG_BYTES;
	const document = parseDocument(tooLong ? "" : text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: false });
	const fault = (path: Path, what: string): ConfigFault => ({ file, ...position(document, lines, path), path: written(path), text: what });
	if (tooLong) throw new ConfigError([fault([], `is longer than ${MAX_CONFIG_BYTES} characters`)]);
	if (document.errors.length > 0) {
		throw new ConfigError(document.errors.map((error) => {
			const at = lines.linePos(error.pos[0]);
			return { file, line: at.line, column: at.col, path: "", text: `is no YAML: ${error.message.split("\n")[0]}` };
		}));
	}
	const folder = dirname(resolve(file));
	const faults: ConfigFault[] = [];
	const secrets: string[] = [];
	let tree: unknown;
	try {
		tree = fill(document.toJS({ maxAliasCount: 100 }), []);
	} catch (error) {
		throw new ConfigError([fault([], `cannot be read: ${messageOf(error)}`)]);
	}

	/** Put in what `${NAME}` and `file:` stand for. */
	function fill(node: unknown, path: Path): unknown {
		if (typeof node === "string") return filled(node, path);
		if (Array.isArray(node)) return node.map((item, index) => fill(item, [...path, index]));
		if (typeof node === "object" && node !== null) return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value, [...path, key])]));
		return node;
	}

	function filled(written: string, path: Path): string {
		const isSecret = SECRET_KEYS.has(path.at(-1)!) || path.at(-2) === "users";
		let value = written.replace(VARIABLE, (_, name: string) => {
			const found = env[name];
			if (found === undefined || found === "") faults.push(fault(path, `needs the environment variable ${name}, which is not set: export ${name}=… before you start Jidway`));
			return found ?? "";
		});
		if (isSecret && value.startsWith("file:")) {
			const from = resolve(folder, value.slice(5));
			try {
				value = readFileSync(from, "utf8").trim();
			} catch (error) {
				faults.push(fault(path, `cannot be read from "${from}": ${messageOf(error)}`));
			}
		}
		if (isSecret && value !== "") secrets.push(value);
		if (path[0] === "links" && path.at(-1) === "url") secrets.push(...passwordsIn(value));
		return value;
	}

	const parsed = configSchema.safeParse(tree ?? {});
	if (!parsed.success) {
		for (const issue of parsed.error.issues) {
			if (issue.code === "unrecognized_keys") {
				const known = knownKeys(configSchema, issue.path, tree);
				for (const key of issue.keys) {
					const near = nearest(key, known);
					faults.push(fault([...issue.path, key], `is no key that Jidway knows; ${near === undefined ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`}`));
				}
			} else faults.push(fault(issue.path, explain(issue.code, issue.message, issue.path, tree)));
		}
	}
	// Links and devices are checked against each other even when something else is wrong: all faults at once.
	const together = configSchema.pick({ links: true, devices: true }).strip().safeParse(tree ?? {});
	if (together.success) faults.push(...crossCheck(together.data as Pick<Config, "links" | "devices">, fault)); // the type only says more exactly what zod gives
	if (!parsed.success || faults.length > 0) throw new ConfigError(faults.sort((a, b) => a.line - b.line || a.column - b.column));
	return { config: parsed.data as Config, said: tree, file, folder, secrets, fault };
}

/** The password in `mqtt://user:password@host`: as it is written, as an address has it, and as it is meant. */
function passwordsIn(url: string): string[] {
	const [, written = ""] = /^[a-z]+:\/\/[^:/?#@]*:([^/?#]*)@/i.exec(url) ?? [];
	const forms = new Set([written, URL.canParse(url) ? new URL(url).password : ""]);
	for (const form of [...forms]) {
		try {
			forms.add(decodeURIComponent(form));
		} catch {
			// A lone % is no escape: what is written is what is meant.
		}
	}
	forms.delete("");
	return [...forms];
}

/** What one value alone cannot show. */
function crossCheck(config: Pick<Config, "links" | "devices">, fault: (path: Path, text: string) => ConfigFault): ConfigFault[] {
	const faults: ConfigFault[] = [];
	const links = new Map(config.links.map((link) => [link.id, link]));
	const seen = (name: string, ids: readonly string[]): void => ids.forEach((id, index) => {
		if (ids.indexOf(id) < index) faults.push(fault([name, index, "id"], `is used twice: "${id}" is ${name}[${ids.indexOf(id)}] already`));
	});
	const places = config.devices.map(({ link, address }) => `${link} ${address?.toLowerCase() ?? ""}`);
	places.forEach((at, index) => {
		if (places.indexOf(at) < index) faults.push(fault(["devices", index], `names the same device as devices[${places.indexOf(at)}]: one link, one address`));
	});
	seen("links", config.links.map(({ id }) => id));
	seen("devices", config.devices.map(({ id }) => id));
	config.links.forEach((link, index) => {
		if (link.kind === "mqtt" && (link.url === undefined) === (link.broker === undefined)) faults.push(fault(["links", index], `needs either "url:" (a broker that runs already) or "broker:" (the embedded one)`));
		if (link.kind === "mqtt" && (link.cert === undefined) !== (link.key === undefined)) faults.push(fault(["links", index, link.cert === undefined ? "key" : "cert"], `"cert:" and "key:" go together`));
	});
	config.devices.forEach((device, index) => {
		const link = links.get(device.link);
		const near = nearest(device.link, [...links.keys()]);
		if (!link) faults.push(fault(["devices", index, "link"], `names no link: there is no "${device.link}"${near === undefined ? "" : `; did you mean "${near}"?`}`));
		if (link?.kind === "serial" && link.protocol === "modbus-rtu") {
			const unit = Number(device.address);
			if (!Number.isInteger(unit) || unit < 1 || unit > 247) faults.push(fault(["devices", index, "address"], `must be the Modbus unit, 1 to 247${device.address === undefined ? "" : `: "${device.address}"`}`));
			if (device.definition === undefined) faults.push(fault(["devices", index], `needs "definition:": Modbus devices do not say what they are`));
		}
		if (link?.kind === "mqtt" && device.address === undefined) faults.push(fault(["devices", index], `needs "address:": what the device is called by its source; "jidway devices" lists them`));
		if (link?.kind === "mqtt" && device.definition !== undefined) faults.push(fault(["devices", index, "definition"], `is for serial devices: describe MQTT devices under "topics:" of their link`));
	});
	return faults;
}

function explain(code: string, message: string, path: Path, tree: unknown): string {
	const found = path.reduce<unknown>((node, key) => (typeof node === "object" && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined), tree);
	if (found === undefined && code !== "custom") return `is missing: ${message.replace(/^Invalid (input|option): /, "").replace(/^expected (\w+), received undefined$/, "it takes a $1")}`;
	if (code === "invalid_union") return `must be one of ${unionHint(path)}`;
	return message.replace(/^Invalid (input|option): /, "").replace(/^expected (\w+), received (\w+)$/, "takes a $1, not a $2");
}

function unionHint(path: Path): string {
	return path.at(-1) === "kind" ? "the kinds that Jidway knows: mqtt or serial" : "the forms that the documentation names";
}

/** `links[0].url` */
function written(path: Path): string {
	return path.map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`)).join("");
}

/** Where a path stands in the file; for what is missing, where its parent stands. */
function position(document: Document, lines: LineCounter, path: Path): { line: number; column: number } {
	for (let length = path.length; length > 0; length--) {
		const parent = document.getIn(path.slice(0, length - 1), true);
		const key = path[length - 1];
		const pair = isMap(parent) ? parent.items.find((item) => String((item.key as { value?: unknown } | null)?.value ?? item.key) === String(key)) : undefined;
		const node = pair ? pair.key : document.getIn(path.slice(0, length), true);
		const range = (node as { range?: readonly number[] } | null | undefined)?.range;
		if (range) {
			const at = lines.linePos(range[0]!);
			return { line: at.line, column: at.col };
		}
	}
	return { line: 1, column: 1 };
}

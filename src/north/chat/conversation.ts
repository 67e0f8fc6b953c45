// One line of a person to a device or the gateway, and its answer. Knows no stanza.
import { GATEWAY_ID, matches } from "../../core/access.js";
import { inWords } from "../../core/availability.js";
import { GatewayError } from "../../core/errors.js";
import { nearest } from "../../core/nearest.js";
import { parseValue } from "../../core/parse-value.js";
import type { Points } from "../../core/point.js";
import { type GatewayStatus, troubles } from "../../core/status.js";
import type { Twin } from "../../core/twin.js";
import type { Verbs } from "../module.js";
import type { OwnWatches } from "../watches.js";
import { type ChatLine, DEVICE_WORDS, GATEWAY_WORDS, parseLine, splitName } from "./grammar.js";
import { bounded, deviceHelp, deviceStatus, readings, valueText } from "./texts.js";
import { historyOverview, type HistoryTurns, pointHistory } from "./history.js";
import { parseWish } from "./wish.js";

/** Names in one answer: more nobody reads. */
const MAX_NAMED = 20;

/** What is to be said: at once, or after a command has ended. */
export interface Answer {
	/** The whole answer, or what is under way: `setting setpoint to 22 °C …`; may say more the later it is read. */
	readonly text: string;
	/** How the command ended, for people. Never rejects. */
	readonly ending?: Promise<string>;
}

export interface Speaker {
	/** Bare JID. */
	readonly who: string;
	/** An old message may ask, and must not command. */
	readonly mayCommand: true | string;
	/** What he watches; nothing where nothing can be watched. */
	readonly watches?: OwnWatches;
	/** How many histories are read at once. */
	readonly histories: HistoryTurns;
}

/** Answer one line to a device. */
export function talkToDevice(verbs: Verbs, twin: Twin, speaker: Speaker, text: string): Answer {
	return guarded(() => answerDevice(verbs, twin, speaker, parseLine(text)));
}

/** Answer one line to the gateway itself: fleet words, or a device and what is meant for it. */
export function talkToGateway(verbs: Verbs, speaker: Speaker, text: string): Answer {
	return guarded(() => {
		const line = parseLine(text);
		switch (line.word) {
			case "hello": return { text: `Hello, this is ${verbs.name}. "devices" lists what is here, "help" says what you can type` };
			case "help": return { text: gatewayHelp() };
			case "devices": return { text: deviceList(visibleTo(verbs, speaker.who), line.pattern) };
			case "status": return { text: gatewayStatus(verbs, visibleTo(verbs, speaker.who), speaker) };
			case "watch": return line.rest === "" && speaker.watches ? { text: watchList(speaker.watches.list()) } : passedOn(verbs, speaker, text);
			case "unwatch": case "history": case "read": case "set": case "assign": case "unknown": return passedOn(verbs, speaker, text);
		}
	});
}

/** The devices that he may see: a question to the rules for each device that there is. */
function visibleTo({ registry, access }: Verbs, who: string, isMeant: (twin: Twin) => boolean = () => true): Twin[] {
	return [...registry.all()].filter((twin) => isMeant(twin) && access.maySee(who, twin.device.id, twin.device.points));
}

/** A line to the gateway that begins with a device is that device's. */
function passedOn(verbs: Verbs, speaker: Speaker, text: string): Answer {
	// The rules are asked only of the devices that the line can mean.
	const folded = text.toLowerCase().replace(/^"/, "");
	const meantBy = visibleTo(verbs, speaker.who, ({ device }) => folded.startsWith(device.id.toLowerCase()) || folded.startsWith(device.name.toLowerCase()));
	const split = splitName(text, meantBy.flatMap(({ device }) => [device.id, device.name]));
	if (split) {
		const [name, rest] = split;
		const meant = meantBy.filter(({ device }) => device.id === name || device.name.toLowerCase() === name.toLowerCase());
		const exact = meant.find(({ device }) => device.id === name);
		if (!exact && meant.length > 1) return { text: `"${name}" is the name of several devices: ${meant.slice(0, MAX_NAMED).map(({ device }) => device.id).join(", ")}${meant.length > MAX_NAMED ? ` and ${meant.length - MAX_NAMED} more` : ""}` };
		return answerDevice(verbs, exact ?? meant[0]!, speaker, parseLine(rest === "" ? "status" : rest));
	}
	const first = text.trim().split(/\s+/)[0] ?? "";
	const near = nearest(first, [...GATEWAY_WORDS, ...visibleTo(verbs, speaker.who).map(({ device }) => device.id)]);
	return { text: `I do not understand "${clipped(text.trim())}"${near === undefined ? "" : `; did you mean "${near}"?`} Type "help"` };
}

/** What a person did wrong is an answer; anything else is a bug of ours. */
function guarded(answer: () => Answer): Answer {
	try {
		return answer();
	} catch (error) {
		if (error instanceof GatewayError) return { text: error.message };
		throw error;
	}
}

function answerDevice(verbs: Verbs, twin: Twin, speaker: Speaker, line: ChatLine): Answer {
	const { device } = twin;
	const { access, clock } = verbs;
	const readable = access.readable(speaker.who, device.id, device.points);
	const settable = access.settable(speaker.who, device.id, device.points);
	switch (line.word) {
		case "hello": return { text: `Hello, this is ${device.name}. "status" tells how it is, "help" what you can type` };
		case "help": return { text: deviceHelp(twin, readable, settable) };
		case "status": return { text: deviceStatus(twin, readable, clock.now(), mayKnowTheHouse(verbs, speaker.who) ? verbs.status().store : undefined) };
		case "read": {
			if (line.what === "") return { text: readings(twin, readable, clock.now()) };
			const name = pointNamed(twin, line.what, readable, "read");
			return { text: readings(twin, [name], clock.now()) };
		}
		case "set": {
			const names = namesOf(device.points, [...new Set([...settable, ...readable])]);
			const split = splitName(line.rest, names);
			if (!split) return { text: unknownPoint(line.rest.split(/\s+/)[0]!, settable, "set") };
			return command(verbs, twin, speaker, pointNamed(twin, split[0], [...settable, ...readable], "set"), split[1]);
		}
		case "assign": return command(verbs, twin, speaker, pointNamed(twin, line.what, [...settable, ...readable], "set"), line.value);
		case "history": {
			if (line.rest === "") return historyOverview(verbs, twin, speaker);
			const split = splitName(line.rest, namesOf(device.points, readable));
			if (!split) return { text: unknownPoint(line.rest.split(" ")[0]!, readable, "read") };
			return pointHistory(verbs, twin, pointNamed(twin, split[0], readable, "read"), speaker, split[1]);
		}
		case "watch": {
			if (!speaker.watches) return { text: "Nothing can be watched here" };
			if (line.rest === "") return { text: watchList(speaker.watches.list(twin)) };
			const split = splitName(line.rest, namesOf(device.points, readable));
			if (!split) return { text: unknownPoint(line.rest.split(" ")[0]!, readable, "watch") };
			const name = pointNamed(twin, split[0], readable, "watch");
			const wish = parseWish(name, device.points[name]!, split[1]);
			if (speaker.mayCommand !== true) return { text: speaker.mayCommand };
			return { text: `watching ${name} …`, ending: told(verbs, speaker.watches.begin(twin, name, wish)) };
		}
		case "unwatch": {
			if (!speaker.watches) return { text: "Nothing can be watched here" };
			if (speaker.mayCommand !== true) return { text: speaker.mayCommand };
			// A point that is gone, or that he may not read any more, may still be watched: by the name under which he began.
			// Nothing that he may not read is looked up, or the answer would tell that it exists.
			const name = line.what === "" ? undefined : visiblePoint(device.points, line.what, readable) ?? clipped(line.what);
			return { text: "ending the watch …", ending: told(verbs, speaker.watches.end(twin, name)) };
		}
		case "devices": return { text: `"devices" is answered by the gateway itself: write it to ${verbs.domain}` };
		case "unknown": {
			const [first = ""] = line.text.split(" ");
			const near = nearest(first, [...DEVICE_WORDS, ...readable, ...settable]);
			const hint = near === undefined ? "" : DEVICE_WORDS.some((word) => word === near) ? `; did you mean "${near}"?` : `; did you mean "read ${near}"${settable.includes(near) ? ` or "set ${near} VALUE"` : ""}?`;
			return { text: `I do not understand "${clipped(line.text)}"${hint} Type "help"` };
		}
	}
}

/** The one path of every door: access and range are checked where it leads. */
function command(verbs: Verbs, twin: Twin, { who, mayCommand }: Speaker, name: string, typed: string): Answer {
	const point = twin.device.points[name]!;
	if (mayCommand !== true) return { text: mayCommand };
	if (typed === "") return { text: `Cannot set "${name}": the value is missing; write "set ${name} VALUE"` };
	// Whether it may be set at all goes before what it takes.
	if (!verbs.access.maySet(who, twin.device.id, name)) throw new GatewayError("forbidden", `Cannot set "${name}": you may read ${twin.device.name}, not command it`);
	if (point.access === "r") throw new GatewayError("not-writable", `Cannot set "${name}": it is read-only`);
	const value = parseValue(name, point, typed);
	const wish = valueText(point, value);
	const ending = verbs.execute({ device: twin.device.id, point: name, value, by: who }).then(
		(outcome) => (outcome.kind === "sent" ? `${name}: ${wish} sent; this device does not report it` : `✓ ${name} is ${valueText(point, outcome.reading.value)}`),
		(error: unknown) => {
			if (error instanceof GatewayError) return `✗ ${error.message}`;
			verbs.log.error({ err: error, device: twin.device.id }, "A command failed for a reason of ours");
			return "✗ Cannot do that: the gateway failed; its log says more";
		},
	);
	return { text: `setting ${name} to ${wish} …`, ending };
}

/** What became of it, in words. */
function told(verbs: Verbs, ending: Promise<string>): Promise<string> {
	return ending.catch((error: unknown) => {
		if (error instanceof GatewayError) return error.message;
		verbs.log.error({ err: error }, "A watch failed for a reason of ours");
		return "Cannot do that: the gateway failed; its log says more";
	});
}

function watchList(lines: readonly string[]): string {
	return lines.length === 0 ? "You watch nothing here; \"watch POINT\" tells you of its changes" : bounded(["You watch:", ...lines.map((line) => `  ${line}`)]);
}

/** The visible point that a person means, by name or by label. @throws {GatewayError} `unknown-point` */
function pointNamed(twin: Twin, typed: string, visible: readonly string[], verb: "read" | "set" | "watch"): string {
	const found = visiblePoint(twin.device.points, typed, visible);
	if (found !== undefined) return found;
	throw new GatewayError("unknown-point", unknownPoint(typed, visible, verb));
}

/** By name, then by label, among those that he may see: a hidden point that is written alike must not stand in the way. */
function visiblePoint(points: Points, typed: string, visible: readonly string[]): string | undefined {
	if (visible.includes(typed)) return typed;
	const folded = typed.toLowerCase();
	return visible.find((name) => name.toLowerCase() === folded) ?? visible.find((name) => points[name]!.label?.toLowerCase() === folded);
}

function unknownPoint(typed: string, visible: readonly string[], verb: "read" | "set" | "watch"): string {
	const unique = [...new Set(visible)];
	const near = nearest(typed, unique);
	const known = unique.length === 0 ? `there is nothing here that you may ${verb}` : near === undefined ? `there are ${unique.slice(0, MAX_NAMED).join(", ")}` : `did you mean "${near}"?`;
	return `Cannot ${verb} "${clipped(typed)}": no such point; ${known}`;
}

function namesOf(points: Points, visible: readonly string[]): string[] {
	return visible.flatMap((name) => [name, ...(points[name]!.label === undefined ? [] : [points[name]!.label])]);
}

/** What a person typed, as much of it as an answer should repeat; whole characters. */
function clipped(text: string): string {
	const characters = [...text.slice(0, 200)];
	return characters.length > 60 ? `${characters.slice(0, 60).join("")}…` : characters.join("");
}

/** A rule that speaks of everything speaks of the gateway too. */
function mayKnowTheHouse({ access }: Verbs, who: string): boolean {
	return access.mayRead(who, GATEWAY_ID, "");
}

/** What is wrong, for who may not know what the house is made of. */
function inPart({ uplink, links, store }: GatewayStatus): string[] {
	const down = links.filter(({ up }) => !up).length;
	return [
		...(uplink.up ? [] : ["uplink"]),
		...(down === 0 ? [] : [`${down} ${down === 1 ? "link is" : "links are"} down`]),
		...(store === undefined ? [] : ["the database"]),
	];
}

function gatewayHelp(): string {
	return ["This is the gateway. It understands:", "devices [PATTERN]: what is here, as far as you may see it", "status: how the gateway is", "DEVICE help · DEVICE status · DEVICE read [POINT] · DEVICE set POINT VALUE · DEVICE history POINT 24h", "DEVICE watch POINT · DEVICE unwatch POINT · watch: what you watch", "Each device is a contact of its own, too"].join("\n");
}

function deviceList(visible: readonly Twin[], pattern: string): string {
	const found = visible.filter(({ device }) => pattern === "" || matches(pattern, device.id) || matches(pattern, device.name) || matches(`*${pattern}*`, device.id));
	if (found.length === 0) return pattern === "" ? "There is no device here that you may see" : `No device that you may see matches "${clipped(pattern)}"`;
	return bounded(found.map(({ device, availability }) => `${device.id}: ${availability}${device.name === device.id ? "" : ` (${device.name})`}`));
}

function gatewayStatus(verbs: Verbs, visible: readonly Twin[], { who }: Speaker): string {
	const status = verbs.status();
	// Links, hosts and paths are nobody's business who may only see some devices.
	const wrong = mayKnowTheHouse(verbs, who) ? troubles(status) : inPart(status);
	const away = visible.filter(({ availability }) => availability !== "online");
	return bounded([
		wrong.length === 0 ? `${verbs.name} is well, running for ${inWords(verbs.clock.now() - status.started)}` : `${verbs.name} has trouble:`,
		...wrong,
		`${visible.length} devices, ${visible.length - away.length} online`,
		...away.slice(0, 15).map(({ device, availability, reason }) => `${device.id}: ${availability}${reason === undefined ? "" : `, ${reason}`}`),
	]);
}

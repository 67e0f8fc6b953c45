import { Access, type AccessRule } from "../../src/core/access.js";
import type { Statement } from "../../src/core/availability.js";
import type { Command, Outcome } from "../../src/core/command.js";
import type { Announcement } from "../../src/core/device.js";
import { GatewayError } from "../../src/core/errors.js";
import type { Log } from "../../src/core/log.js";
import type { Points } from "../../src/core/point.js";
import type { Reading } from "../../src/core/reading.js";
import { Registry } from "../../src/core/registry.js";
import type { Subscription, SubscriptionStore } from "../../src/core/subscription.js";
import type { Change, Twin } from "../../src/core/twin.js";
import { numericFromText, type Value } from "../../src/core/value.js";
import type { Verbs, XepModule } from "../../src/north/module.js";
import { type Router, router } from "../../src/north/router.js";
import { parseStanza } from "../../src/xmpp/parser.js";
import { Requests } from "../../src/xmpp/requests.js";
import type { Element } from "../../src/xmpp/xml.js";
import { FAKE_START, FakeClock, settle } from "../fakes/clock.js";
import { MemoryHistory } from "../fakes/history.js";

export const DOMAIN = "things.example.org";
/** Alice owns all, Oscar operates the pumps, Bob may see the weather's temperature, Mallory has no rule, Norma is refused by name. */
export const RULES: readonly AccessRule[] = [
	{ who: "norma@example.org", role: "none" },
	{ who: "alice@example.org", role: "owner" },
	{ who: "oscar@ops.example.org", role: "operator", devices: ["pump-*", "boiler"] },
	{ who: "bob@partner.example", role: "viewer", points: { weather: ["temperature"] } },
];
export const WEATHER: Points = {
	temperature: { kind: "numeric", access: "r", unit: "°C" },
	humidity: { kind: "numeric", access: "r", unit: "%RH" },
};
export const PUMP: Points = {
	flow: { kind: "numeric", access: "r", unit: "L/min" },
	speed: { kind: "numeric", access: "rw", unit: "%", min: 0, max: 100, step: 1 },
	running: { kind: "boolean", access: "rw" },
	mode: { kind: "enum", access: "rw", labels: ["auto", "manual"] },
};

/** Subscriptions in memory, which can be made slow or broken. */
export class MemoryStore implements SubscriptionStore {
	readonly kept = new Map<string, Subscription>();
	/** Every write, in order. */
	readonly writes: Subscription[] = [];
	broken = false;
	/** While set, a write ends only with it. */
	until: Promise<void> | undefined;

	constructor(...before: readonly (Pick<Subscription, "device" | "contact"> & Partial<Subscription>)[]) {
		for (const each of before) this.#keep({ from: false, to: false, pendingIn: false, pendingOut: false, ...each });
	}

	subscriptions(): readonly Subscription[] {
		return [...this.kept.values()];
	}

	async putSubscription(subscription: Subscription): Promise<void> {
		await this.until;
		if (this.broken) throw new GatewayError("store-failed", "Cannot write the subscription: the disk is full");
		this.writes.push(subscription);
		this.#keep(subscription);
	}

	#keep(subscription: Subscription): void {
		const key = `${subscription.device} ${subscription.contact}`;
		if (subscription.from || subscription.to || subscription.pendingIn || subscription.pendingOut) this.kept.set(key, subscription);
		else this.kept.delete(key);
	}
}

/** What one test wants to be different. */
export interface HarnessOptions {
	/** Points by device id, or a whole announcement. All are of link `test`. Default: `weather` and `pump-1`. */
	readonly devices?: Readonly<Record<string, Points | Omit<Announcement, "address">>>;
	readonly access?: readonly AccessRule[];
	readonly store?: MemoryStore;
	/** What a command does. Default: `sent`. */
	readonly execute?: (command: Command) => Promise<Outcome>;
	/** False: the uplink is down until `connect()`. */
	readonly online?: boolean;
}

/**
 * A north wing with no server, no port and no time of its own: stanzas in by `hear()`, stanzas out in `sent`.
 *
 * @param modules The modules under test, in the order of the roof. They may look at the store and at each other's makings.
 */
export function harness(modules: (verbs: Verbs, store: MemoryStore) => readonly XepModule[], options: HarnessOptions = {}): Harness {
	return new Harness(modules, options);
}

export class Harness {
	/** Every stanza sent, as text, in order. `take()` empties it. */
	readonly sent: string[] = [];
	readonly clock = new FakeClock();
	readonly registry = new Registry();
	readonly store: MemoryStore;
	readonly history = new MemoryHistory();
	/** What modules asked others, by `ask()`. */
	readonly requests: Requests;
	readonly verbs: Verbs;
	readonly modules: readonly XepModule[];
	/** Every command that was executed, in order. */
	readonly commands: Command[] = [];
	/** Log lines of level warn and error: a test that expects none checks that. */
	readonly complaints: string[] = [];
	/** IQ results and errors that reached nobody's question here. */
	readonly replies: Element[] = [];
	/** Who may do what, from now on. */
	access: Access;
	/** False: `say()` refuses, as a stream does that is too far behind. */
	room = true;
	#online: boolean;
	readonly #router: Router;

	constructor(modules: (verbs: Verbs, store: MemoryStore) => readonly XepModule[], options: HarnessOptions) {
		this.store = options.store ?? new MemoryStore();
		this.#online = options.online ?? true;
		this.access = new Access(options.access ?? RULES);
		const execute = options.execute ?? (async (): Promise<Outcome> => ({ kind: "sent" }));
		const harness = this;
		let asked = 0;
		this.requests = new Requests({ clock: this.clock, newId: () => `ask-${++asked}`, send: (stanza) => this.verbs.say(stanza) });
		this.verbs = {
			domain: DOMAIN,
			name: "Greenhouse",
			registry: this.registry,
			get access() {
				return harness.access;
			},
			clock: this.clock,
			log: logInto(this.complaints),
			say: (stanza) => {
				if (!this.#online || !this.room) return false;
				this.sent.push(String(stanza));
				return true;
			},
			online: () => this.#online,
			ask: (question, asking) => this.requests.ask(question, asking),
			history: this.history,
			status: () => ({ started: FAKE_START, uplink: { up: true, since: FAKE_START }, links: [], devices: this.registry.size, faults: [] }),
			execute: (command) => {
				this.commands.push(command);
				return execute(command);
			},
		};
		for (const [id, given] of Object.entries(options.devices ?? { "weather": WEATHER, "pump-1": PUMP })) this.#announce(id, given);
		this.modules = modules(this.verbs, this.store);
		this.#router = router(this.verbs, this.modules, { reply: (iq) => { if (!this.requests.take(iq)) this.replies.push(iq); } });
	}

	/** A stanza from the server, as text. Nothing is waited for. */
	receive(stanza: string): void {
		this.#router.receive(parseStanza(stanza));
	}

	/** Other rules, from now on. */
	setRules(rules: readonly AccessRule[]): void {
		this.access = new Access(rules);
	}

	/** A stanza from the server, as text; then everything that can happen now, happens. */
	async hear(stanza: string): Promise<void> {
		this.receive(stanza);
		await settle();
	}

	/** What was said since the last time. */
	take(): string[] {
		return this.sent.splice(0);
	}

	/** Hear one stanza, and give what was said because of it. */
	async ask(stanza: string): Promise<string[]> {
		this.take();
		await this.hear(stanza);
		return this.take();
	}

	twin(id: string): Twin {
		return this.registry.byId(id);
	}

	/** Live values of a device, by point; digits are kept: `{ temperature: "21.50", running: true }`. Numbers are texts here. */
	async report(id: string, values: Readonly<Record<string, string | boolean>>, more: Partial<Reading> & { readonly retained?: boolean } = {}): Promise<void> {
		const { retained = false, ...rest } = more;
		const now = this.clock.now();
		const { points } = this.twin(id).device;
		const readings = Object.entries(values).map(([point, text]): Reading => ({ point, value: valueOf(points, point, text), at: now, received: now, quality: "good", ...rest }));
		await this.change(this.twin(id).apply(readings, !retained, now));
	}

	/** An availability topic or a last will speaks. */
	async state(id: string, state: Statement, reason?: string): Promise<void> {
		await this.change(this.twin(id).say(state, reason, this.clock.now()));
	}

	/** Silence is judged. */
	async judge(id: string): Promise<void> {
		await this.change(this.twin(id).judge(this.clock.now()));
	}

	/** As the roof tells a change: only when there is something to tell. */
	async change(change: Change): Promise<void> {
		if (change.readings.length > 0 || change.availability || change.aged) for (const module of this.modules) module.changed?.(change);
		await settle();
	}

	/** A device appears, or is described anew. */
	async announce(id: string, given: Points | Omit<Announcement, "address">): Promise<void> {
		const twin = this.#announce(id, given);
		for (const module of this.modules) module.added?.(twin);
		await settle();
	}

	/** Its source took it back. */
	async remove(id: string): Promise<void> {
		const twin = this.registry.remove("test", id);
		if (twin) for (const module of this.modules) module.removed?.(twin);
		await settle();
	}

	async connect(): Promise<void> {
		this.#online = true;
		for (const module of this.modules) module.connected?.();
		await settle();
	}

	disconnect(): void {
		this.#online = false;
		this.requests.failAll("the uplink was lost");
		for (const module of this.modules) module.disconnected?.();
	}

	/** Last words; what is said after them counts as never said. */
	close(): void {
		for (const module of this.modules) module.closing?.();
		this.#online = false;
	}

	#announce(id: string, given: Points | Omit<Announcement, "address">): Twin {
		const announcement = isAnnouncement(given) ? given : { points: given };
		return this.registry.announce("test", { ...announcement, address: id }, this.clock.now()).twin;
	}
}

/** A device may have a point called `points`: what an announcement has there is no point, since it has no kind. */
function isAnnouncement(given: Points | Omit<Announcement, "address">): given is Omit<Announcement, "address"> {
	return "points" in given && !(typeof given.points === "object" && "kind" in given.points && typeof given.points.kind === "string");
}

function valueOf(points: Points, name: string, text: string | boolean): Value {
	if (typeof text === "boolean" || points[name]?.kind !== "numeric") return text;
	const numeric = numericFromText(text);
	if (numeric === undefined) throw new Error(`Cannot read "${text}" as a number for "${name}"`);
	return numeric;
}

function logInto(complaints: string[]): Log {
	const keep = (facts: object, text: string): void => void complaints.push(`${text} ${JSON.stringify(facts)}`);
	return { debug: () => {}, info: () => {}, warn: keep, error: keep };
}

/** `<iq/>` as a client sends it, with the payload as text. */
export function iq(type: "get" | "set", from: string, to: string, payload: string, id = "q1"): string {
	return `<iq type='${type}' id='${id}' from='${from}' to='${to}'>${payload}</iq>`;
}

/** `<presence/>` as a server passes it on. */
export function presenceStanza(type: string | undefined, from: string, to: string, content = ""): string {
	return `<presence${type === undefined ? "" : ` type='${type}'`} from='${from}' to='${to}'>${content}</presence>`;
}

/** `<message type='chat'/>` with a body. */
export function chat(from: string, to: string, body: string, rest = ""): string {
	return `<message type='chat' id='m1' from='${from}' to='${to}'><body>${body}</body>${rest}</message>`;
}

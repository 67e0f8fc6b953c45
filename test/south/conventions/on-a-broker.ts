import type { Availability } from "../../../src/core/availability.js";
import { confirmation } from "../../../src/core/confirmation.js";
import type { Clock } from "../../../src/core/clock.js";
import { confirmOf, findPoint } from "../../../src/core/point.js";
import type { Reading } from "../../../src/core/reading.js";
import { Twin } from "../../../src/core/twin.js";
import { textOf, type Value } from "../../../src/core/value.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Packet } from "../../../src/south/link.js";
import { MqttDialect } from "../../../src/south/mqtt/dialect.js";
import { MqttLink } from "../../../src/south/mqtt/session.js";
import { TopicRules } from "../../../src/south/mqtt/topics.js";
import { until } from "../../firmware-sim/broker.js";
import { numeric } from "./said.js";

const clock: Clock = {
	now: () => Date.now(),
	after: (span, run) => {
		const timer = setTimeout(run, span);
		return () => clearTimeout(timer);
	},
};

/** The sessions of one file are several at one broker, each with a name of its own. */
let count = 0;

/** A link, its dialect and the twins of what it hears: the gateway's way south, without the roof. */
export class Listener {
	readonly twins = new Map<string, Twin>();
	/** How often each address was announced. */
	readonly announced = new Map<string, number>();
	readonly misfits: string[] = [];
	readonly #link: MqttLink;
	readonly #dialect: MqttDialect;
	readonly #abort = new AbortController();
	readonly #running: Promise<void>;
	#up = false;

	private constructor(url: string, conventions: readonly Convention[]) {
		this.#dialect = new MqttDialect(new TopicRules([]), conventions);
		this.#link = new MqttLink("site", { url, clientId: `jidway-test-site-${++count}`, presence: (now) => this.#dialect.presence(now) }, clock, () => 0.5);
		this.#link.listen(this.#dialect.filters());
		this.#running = this.#link.run({
			packet: (packet) => this.#take(packet),
			state: (state) => void (this.#up = state.up),
			fault: (where, reason) => void this.misfits.push(`${where}: ${reason}`),
		}, this.#abort.signal);
	}

	static async start(url: string, ...conventions: readonly Convention[]): Promise<Listener> {
		const listener = new Listener(url, conventions);
		await until("the link", () => listener.#up);
		return listener;
	}

	async stop(): Promise<void> {
		this.#abort.abort();
		await this.#running;
	}

	/** The gateway asks this every second. */
	tick(now = clock.now()): void {
		for (const out of this.#dialect.due(now)) this.#link.send(out, this.#abort.signal).catch(() => undefined);
	}

	/** The last value of a point, as text. */
	value(address: string, point: string): string | undefined {
		const reading = this.twins.get(address)?.readings.get(point);
		return reading && textOf(reading.value);
	}

	availability(address: string): Availability | undefined {
		return this.twins.get(address)?.availability;
	}

	/** Set a point, and wait until the device's own state says so; nothing for what does not say it back. */
	async set(address: string, point: string, wish: Value | number, within = 2_000): Promise<Reading | undefined> {
		const value = typeof wish === "number" ? numeric(String(wish)) : wish;
		const twin = this.twins.get(address)!;
		const says = confirmOf(findPoint(twin.device.points, point)![1]) === "state";
		const done = says ? confirmation(twin, point, value, clock, within, this.#abort.signal) : undefined;
		done?.catch(() => undefined); // it is awaited below, when all is sent
		for (const out of this.#dialect.encode(address, point, value)) await this.#link.send(out, this.#abort.signal);
		return done;
	}

	#take(packet: Packet): void {
		const { announced = [], gone = [], told = [], states = [], heard = [], misfits = [], filters, send = [] } = this.#dialect.decode(packet);
		const now = packet.received;
		for (const announcement of announced) {
			const { address } = announcement;
			const device = { ...announcement, id: address, name: announcement.name ?? address, link: "site", source: announcement };
			this.announced.set(address, (this.announced.get(address) ?? 0) + 1);
			const twin = this.twins.get(address);
			if (twin) twin.redefine(device);
			else this.twins.set(address, new Twin(device, now));
		}
		for (const address of gone) this.twins.delete(address);
		const live = packet.body.kind === "message" && !packet.body.retained;
		for (const { address, point, value, at, quality } of told) this.twins.get(address)?.apply([{ point, value, at: at ?? now, received: now, quality: quality ?? "good", ...(!live && { ageUnknown: true as const }) }], live, now);
		for (const address of heard) this.twins.get(address)?.alive(now);
		for (const { address, state, reason } of states) this.twins.get(address)?.say(state, reason, now);
		for (const { where, reason } of misfits) this.misfits.push(`${where}: ${reason}`);
		if (filters) this.#link.listen(this.#dialect.filters());
		for (const out of send) this.#link.send(out, this.#abort.signal).catch(() => undefined);
		packet.taken();
	}
}

import { confirmation } from "../../../src/core/confirmation.js";
import type { Clock } from "../../../src/core/clock.js";
import { Twin } from "../../../src/core/twin.js";
import { textOf, type Value } from "../../../src/core/value.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { MqttDialect } from "../../../src/south/mqtt/dialect.js";
import { MqttLink } from "../../../src/south/mqtt/session.js";
import { TopicRules } from "../../../src/south/mqtt/topics.js";
import { until } from "../../firmware-sim/broker.js";

const clock: Clock = {
	now: () => Date.now(),
	after: (span, run) => {
		const timer = setTimeout(run, span);
		return () => clearTimeout(timer);
	},
};

/** A link, a convention and the twins of what it finds, on a real broker: what the gateway joins, without its roof. */
export class OnBroker {
	readonly twins = new Map<string, Twin>();
	readonly misfits: string[] = [];
	readonly announced: string[] = [];
	readonly #dialect: MqttDialect;
	readonly #link: MqttLink;
	readonly #abort = new AbortController();
	readonly #running: Promise<void>;
	#isUp = false;

	private constructor(url: string, convention: Convention) {
		this.#dialect = new MqttDialect(new TopicRules([]), [convention]);
		this.#link = new MqttLink("bench", { url, clientId: `jidway-test-${convention.name}-${Math.round(Math.random() * 1e9)}` }, clock, () => 0.5);
		this.#link.listen(this.#dialect.filters());
		this.#running = this.#link.run({
			packet: (packet) => {
				const message = packet.body;
				const meaning = this.#dialect.decode(packet);
				const live = message.kind !== "message" || !message.retained;
				const now = clock.now();
				for (const one of meaning.announced ?? []) {
					this.announced.push(one.address);
					const device = { ...one, id: one.address.toLowerCase(), name: one.name ?? one.address, link: "bench", source: one };
					const known = this.twins.get(one.address);
					if (known) known.redefine(device);
					else this.twins.set(one.address, new Twin(device, now));
				}
				for (const one of meaning.told ?? []) this.twins.get(one.address)?.apply([{ point: one.point, value: one.value, at: one.at ?? now, received: now, quality: one.quality ?? "good" }], live, now);
				for (const address of meaning.heard ?? []) this.twins.get(address)?.alive(now);
				for (const { address, state, reason } of meaning.states ?? []) this.twins.get(address)?.say(state, reason, now);
				this.misfits.push(...(meaning.misfits ?? []).map(({ reason }) => reason));
				for (const out of meaning.send ?? []) void this.#link.send(out, this.#abort.signal).catch(() => undefined);
				packet.taken();
			},
			state: (state) => void (this.#isUp = state.up),
			fault: (where, reason) => this.misfits.push(`${where}: ${reason}`),
		}, this.#abort.signal);
	}

	static async start(url: string, convention: Convention): Promise<OnBroker> {
		const bench = new OnBroker(url, convention);
		await until("the link", () => bench.#isUp);
		return bench;
	}

	/** The last value of a point, as text. */
	value(address: string, point: string): string | undefined {
		const reading = this.twins.get(address)?.readings.get(point);
		return reading && textOf(reading.value);
	}

	availability(address: string): string | undefined {
		return this.twins.get(address)?.availability;
	}

	/** Send a command and wait until the device itself confirms it. */
	async command(address: string, point: string, value: Value, within = 2_000): Promise<string> {
		const done = confirmation(this.twins.get(address)!, point, value, clock, within, this.#abort.signal);
		for (const out of this.#dialect.encode(address, point, value)) await this.#link.send(out, this.#abort.signal);
		return textOf((await done).value);
	}

	async stop(): Promise<void> {
		this.#abort.abort();
		await this.#running;
	}
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Statement } from "../../../src/core/availability.js";
import type { Announcement } from "../../../src/core/device.js";
import { type Value, numericFromText, textOf } from "../../../src/core/value.js";
import type { Convention } from "../../../src/south/conventions/convention.js";
import { covers } from "../../../src/south/mqtt/pattern.js";
import { TestBroker } from "../../firmware-sim/broker.js";

/** A convention and simulated devices at one broker: what they say is heard, what it commands is sent. */
export class House {
	readonly broker: TestBroker;
	readonly #convention: Convention;
	#next = 0;
	/** The last value of each point, as `address point`. */
	readonly told = new Map<string, string>();
	readonly states = new Map<string, Statement>();
	readonly devices = new Map<string, Announcement>();
	readonly misfits: string[] = [];

	private constructor(broker: TestBroker, convention: Convention) {
		this.broker = broker;
		this.#convention = convention;
	}

	static async of(convention: Convention): Promise<House> {
		return new House(await TestBroker.start(), convention);
	}

	/** Hear what was said since. */
	async #listen(): Promise<void> {
		for (; this.#next < this.broker.heard.length; this.#next++) {
			const { topic, text } = this.broker.heard[this.#next]!;
			if (!this.#convention.filters().some((filter) => covers(filter, topic))) continue;
			const meaning = this.#convention.hear({ kind: "message", topic, payload: Buffer.from(text), retained: false });
			for (const device of meaning?.announced ?? []) this.devices.set(device.address, device);
			for (const { address, point, value } of meaning?.told ?? []) this.told.set(`${address} ${point}`, textOf(value));
			for (const { address, state } of meaning?.states ?? []) this.states.set(address, state);
			for (const { reason } of meaning?.misfits ?? []) this.misfits.push(reason);
			for (const { topic: to, payload } of meaning?.send ?? []) await this.broker.send(to, Buffer.from(payload).toString());
		}
	}

	/** Wait until it is so: at most two seconds. */
	async until(what: string, so: () => boolean): Promise<void> {
		for (let waited = 0; waited < 2000; waited += 5) {
			await this.#listen();
			if (so()) return;
			await sleep(5);
		}
		throw new Error(`waited two seconds for ${what}; told: ${JSON.stringify([...this.told])}, states: ${JSON.stringify([...this.states])}`);
	}

	/** Command a point, and wait until the device itself says that it obeyed. */
	async obeys(address: string, point: string, value: Value | number): Promise<void> {
		const wish = typeof value === "number" ? numericFromText(String(value))! : value;
		this.told.delete(`${address} ${point}`);
		await this.tell(address, point, wish);
		await this.until(`${address} to have ${point} ${textOf(wish)}`, () => this.told.get(`${address} ${point}`) === textOf(wish));
	}

	/** Command a point that is not reported. */
	async tell(address: string, point: string, wish: Value): Promise<void> {
		for (const { topic, payload } of this.#convention.command(address, point, wish) ?? []) await this.broker.send(topic, Buffer.from(payload).toString());
	}

	stop(): Promise<void> {
		return this.broker.stop();
	}
}

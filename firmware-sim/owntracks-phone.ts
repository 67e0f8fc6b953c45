// A phone with the OwnTracks app, walking.
// Source: https://owntracks.org/booklet/tech/json/ and /booklet/features/remoteconfig/ (remote commands)
import { MqttNode, type MqttOptions, type Said } from "./mqtt-node.js";

export interface OwnTracksPhoneOptions extends MqttOptions {
	/** Default `romeo`. */
	readonly user?: string;
	/** Default `phone`. */
	readonly device?: string;
}

export interface PhoneState {
	readonly lat: number;
	readonly lon: number;
	/** % */
	readonly batt: number;
	/** In the garden, a region with a name? */
	readonly home: boolean;
}

/**
 * The phone. What it says is JSON with a `_type`.
 *
 *     owntracks/<user>/<device>         location, lwt (will); retained
 *     owntracks/<user>/<device>/event   transition
 *     owntracks/<user>/<device>/info    card; retained
 *     owntracks/<user>/<device>/cmd     cmd: reportLocation, dump
 *     owntracks/<user>/<device>/dump    the answer to dump
 */
export class OwnTracksPhone {
	/** It hears commands and does nothing. */
	stuck = false;
	/** Remote commands that it has done. */
	readonly done: string[] = [];
	readonly base: string;
	readonly #net: MqttNode;
	#state: PhoneState = { lat: 45.4384, lon: 10.9917, batt: 81, home: true };

	constructor(options: OwnTracksPhoneOptions) {
		this.base = `owntracks/${options.user ?? "romeo"}/${options.device ?? "phone"}`;
		this.#net = new MqttNode(options, {
			clientId: this.base.replaceAll("/", "-"),
			will: { topic: this.base, text: '{"_type":"lwt","tst":1700000000}' },
			subscriptions: [`${this.base}/cmd`],
			announce: () => [{ topic: `${this.base}/info`, text: '{"_type":"card","name":"Romeo","face":"iVBORw0KGgo="}', retain: true, qos: 1 }, this.#location("p")],
			farewell: () => [],
			hear: (_, text) => this.#command(text),
		});
	}

	/** The physical truth. */
	get state(): PhoneState {
		return this.#state;
	}

	start(): Promise<void> {
		return this.#net.start();
	}

	stop(): Promise<void> {
		return this.#net.stop();
	}

	crash(): Promise<void> {
		return this.#net.crash();
	}

	/** Walk out of the garden, or back. */
	walk(): void {
		const home = !this.#state.home;
		this.#state = { lat: this.#state.lat + (home ? -0.01 : 0.01), lon: this.#state.lon, batt: this.#state.batt - 1, home };
		const { lat, lon } = this.#state;
		this.#net.say({ topic: `${this.base}/event`, text: JSON.stringify({ _type: "transition", event: home ? "enter" : "leave", desc: "Garden", lat, lon, acc: 12, tid: "ro", tst: this.#seconds() }), qos: 1 });
		this.#net.say(this.#location("c"));
	}

	#command(text: string): void {
		let wish: unknown;
		try {
			wish = JSON.parse(text);
		} catch {
			return;
		}
		if (this.stuck || typeof wish !== "object" || wish === null || !("_type" in wish) || wish._type !== "cmd" || !("action" in wish) || typeof wish.action !== "string") return;
		this.done.push(wish.action);
		if (wish.action === "reportLocation") this.#net.say(this.#location("r"));
		else if (wish.action === "dump") this.#net.say({ topic: `${this.base}/dump`, text: '{"_type":"dump","configuration":{"_type":"configuration","pubTopicBase":"owntracks/%u/%d"}}', qos: 1 });
	}

	#seconds(): number {
		return Math.floor(this.#net.clock.now() / 1000);
	}

	#location(trigger: string): Said {
		const { lat, lon, batt, home } = this.#state;
		const body = { _type: "location", lat, lon, acc: 12, alt: 62, vac: 4, vel: -1, cog: -1, batt, bs: 1, conn: "m", tid: "ro", t: trigger, inregions: home ? ["Garden"] : [], tst: this.#seconds() };
		return { topic: this.base, text: JSON.stringify(body), retain: true, qos: 1 };
	}
}

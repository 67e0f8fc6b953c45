// What people see: an operator with a presence of every device, and what he is told of the points that he watches. He comes back whenever his server does.

import { setTimeout as sleep } from "node:timers/promises";
import type { Account, XmppServer } from "../servers/server.js";
import { find, login, type User, type Xml } from "../xmpp-user.js";

/** A message of a watched point, the first time that its id was seen. */
export interface Heard {
	readonly id: string;
	readonly from: string;
	readonly body: string;
}

const RECEIPTS = "urn:xmpp:receipts";
const SENSOR_DATA = "urn:xmpp:iot:sensordata";

export class Witness {
	readonly #server: XmppServer;
	readonly #account: Account;
	readonly #domain: string;
	/** By device id: what its full address said last in this session. */
	readonly presences = new Map<string, string>();
	readonly statuses = new Map<string, string>();
	/** By message id, in the order of coming. */
	readonly messages = new Map<string, Heard>();
	/** By device id: the number that a readout gave last. */
	readonly values = new Map<string, number>();
	/** Answers to readouts that are errors, whole. */
	readonly refusals: string[] = [];
	/** Messages whose id had come before: the repetitions that a receiver drops. */
	repeated = 0;
	logins = 0;
	#user: User | undefined;
	#stopping = false;
	#running: Promise<void> | undefined;

	constructor(server: XmppServer, account: Account, domain: string) {
		this.#server = server;
		this.#account = account;
		this.#domain = domain;
	}

	get isOnline(): boolean {
		return this.#user !== undefined;
	}

	start(): void {
		this.#running = this.#run();
	}

	async stop(): Promise<void> {
		this.#stopping = true;
		await this.#running;
	}

	/** Asks to see these devices. */
	subscribe(ids: readonly string[]): void {
		for (const id of ids) this.#user?.send(`<presence type='subscribe' to='${id}@${this.#domain}'/>`);
	}

	say(id: string, line: string): void {
		this.#user?.say(`${id}@${this.#domain}`, line);
	}

	/** Asks these devices for what they said last (XEP-0323). The answers go to `values`. */
	read(ids: readonly string[]): void {
		for (const id of ids) this.#user?.send(`<iq type='get' id='read-${id}' to='${id}@${this.#domain}/thing'><req xmlns='${SENSOR_DATA}' seqnr='1' momentary='true' status='true'/></iq>`);
	}

	async #run(): Promise<void> {
		while (!this.#stopping) {
			try {
				const user = await login(this.#server, this.#account);
				this.presences.clear();
				this.statuses.clear();
				user.send("<presence/>");
				this.#user = user;
				this.logins++;
				await this.#listen(user);
			} catch {
				await sleep(200); // his server is away
			}
			this.#user = undefined;
		}
	}

	async #listen(user: User): Promise<void> {
		while (!this.#stopping) {
			let stanza: Xml;
			try {
				stanza = await user.next("anything", () => true, 500);
			} catch (error) {
				if (error instanceof Error && error.message.includes("any longer")) continue; // silence is no end
				throw error;
			}
			this.#take(user, stanza);
			// All that is there already, without a pause for each.
			while (user.unread.length > 0) this.#take(user, await user.next("the rest", () => true));
		}
		await user.leave();
	}

	#take(user: User, stanza: Xml): void {
		const { from = "", id = "", type } = stanza.attrs;
		const [bare = "", resource] = from.split("/");
		const device = bare.endsWith(`@${this.#domain}`) ? bare.slice(0, -this.#domain.length - 1) : undefined;
		if (device === undefined) return;
		if (stanza.name === "presence" && resource !== undefined && (type === undefined || type === "unavailable")) {
			this.presences.set(device, type ?? "available");
			this.statuses.set(device, find(stanza, "status")?.text ?? "");
		}
		if (stanza.name === "iq" && type === "error") this.refusals.push(stanza.raw);
		if (stanza.name !== "message" || type === "error") return;
		const value = find(stanza, "fields", SENSOR_DATA) && find(stanza, "numeric")?.attrs["value"];
		if (value !== undefined) this.values.set(device, Number(value));
		if (find(stanza, "request", RECEIPTS)) user.send(`<message to='${from}' id='r-${id}'><received xmlns='${RECEIPTS}' id='${id}'/></message>`);
		const body = find(stanza, "body")?.text;
		if (body === undefined) return;
		if (this.messages.has(id)) this.repeated++;
		else this.messages.set(id, { id, from: device, body });
	}
}

// A client that takes less than there is: ejabberd drops it when 5 000 stanzas wait for its acknowledgement (XEP-0198), and the
// windows keep it far from that. The control shows that the server would.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Access } from "../../src/core/access.js";
import { Registry } from "../../src/core/registry.js";
import { numericFromText } from "../../src/core/value.js";
import { events } from "../../src/north/events/events.js";
import type { Verbs } from "../../src/north/module.js";
import { router } from "../../src/north/router.js";
import { WINDOW, Windows } from "../../src/north/window.js";
import { systemClock } from "../../src/system-clock.js";
import { Component } from "../../src/xmpp/component.js";
import { Requests } from "../../src/xmpp/requests.js";
import { MemoryHistory } from "../fakes/history.js";
import { startEjabberd } from "./servers/ejabberd.js";
import { waitUntil } from "./servers/processes.js";
import type { XmppServer } from "./servers/server.js";
import { ASKED, DOMAIN, JULIET, missing, ROMEO, SECRET } from "./site.js";
import { findAll, login } from "./xmpp-user.js";

const NS_SM = "urn:xmpp:sm:3";
const DEVICES = ["a", "b", "c", "d"];
const CHANGES_PER_SECOND = 2_000;
const FOR_MS = 5_000;
/** What the client takes: a fifth of what there is. */
const TAKES_PER_SECOND = 400;
const ACKNOWLEDGES_EVERY_MS = 500;

describe("a client that takes a fifth of what there is", { skip: missing("ejabberd") }, () => {
	let server: XmppServer;
	let component: Component;
	let hear: ReturnType<typeof router>["receive"] = () => undefined;
	const stop = new AbortController();
	let running: Promise<void> | undefined;
	before(async () => {
		server = await startEjabberd(ASKED);
		component = new Component({ domain: DOMAIN, host: "127.0.0.1", port: server.componentPort, secret: SECRET, clock: systemClock, random: Math.random });
		running = component.run({ stanza: (stanza) => hear(stanza), state: () => undefined }, stop.signal);
		await waitUntil("the uplink", () => component.online, { withinMs: 15_000 });
	});
	after(async () => {
		stop.abort();
		await running;
		await server?.stop();
	});

	/** A client with stream management that reads, answers and acknowledges at its own pace. */
	async function slowClient(account: typeof ROMEO) {
		const user = await login(server, account, "slow");
		user.send(`<enable xmlns='${NS_SM}'/>`);
		await user.next("stream management", ({ name }) => name === "enabled");
		user.send("<presence/>");
		const newest = new Map<string, string>();
		const state = { taken: 0, dropped: false, over: false };
		const taking = (async () => {
			const start = Date.now();
			let acknowledged = start;
			while (!state.over && !state.dropped) {
				try {
					while (state.taken < ((Date.now() - start) * TAKES_PER_SECOND) / 1_000 && user.unread.length > 0) {
						const stanza = await user.next("anything", () => true);
						if (!["message", "iq", "presence"].includes(stanza.name)) continue;
						state.taken++;
						if (stanza.name === "iq" && stanza.attrs["type"] === "get") user.send(`<iq type='result' id='${stanza.attrs["id"]}' to='${stanza.attrs["from"]}'/>`);
						for (const node of findAll(stanza, "node")) for (const field of findAll(node, "numeric")) newest.set(node.attrs["nodeId"] ?? "", field.attrs["value"] ?? "");
					}
				} catch {
					state.dropped = true; // the server has closed the connection
				}
				if (Date.now() - acknowledged >= ACKNOWLEDGES_EVERY_MS) {
					acknowledged = Date.now();
					user.send(`<a xmlns='${NS_SM}' h='${state.taken}'/>`);
				}
				if (user.unread.at(-1)?.name === "stream:error") state.dropped = true; // however much there is before it
				await sleep(20);
			}
		})();
		const end = async (): Promise<void> => {
			state.over = true;
			await taking;
			await user.leave();
		};
		return { user, newest, state, end };
	}

	/** Call `change` as often as that much time asks for, whatever else the machine does. */
	async function changes(change: (count: number) => void, isOver: () => boolean = () => false): Promise<number> {
		const start = Date.now();
		let count = 0;
		for (let passed = 0; passed < FOR_MS && !isOver(); passed = Date.now() - start) {
			for (; count < (passed * CHANGES_PER_SECOND) / 1_000; count++) change(count);
			await sleep(5);
		}
		return count;
	}

	test("is not dropped within its window, and ends with the newest value of each device", async () => {
		const registry = new Registry();
		const access = new Access([{ who: `${ROMEO.name}@${server.host}`, role: "viewer" }]);
		let asked = 0;
		const requests = new Requests({ clock: systemClock, newId: () => `ask-${++asked}`, send: (stanza) => component.send(stanza) });
		const quiet = (): void => undefined;
		const verbs: Verbs = {
			domain: DOMAIN, name: "test", registry, access, clock: systemClock, log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
			say: (stanza) => component.send(stanza), online: () => component.online, ask: (question, options) => requests.ask(question, options), history: new MemoryHistory(),
			status: () => ({ started: 0, uplink: { up: true, since: 0 }, links: [], devices: registry.size, faults: [] }),
			execute: async () => ({ kind: "sent" }),
		};
		const windows = new Windows(verbs);
		// Without the least interval, so that each of the changes is an event.
		const subscribed = events(verbs, { windows, newId: randomUUID, leastInterval: 0 });
		hear = router(verbs, [subscribed], { reply: (iq) => void requests.take(iq) }).receive;
		const twins = DEVICES.map((address) => registry.announce("test", { address, points: { level: { kind: "numeric", access: "r" } } }, Date.now()).twin);

		const client = await slowClient(ROMEO);
		client.user.send(`<iq type='get' id='s1' to='${DOMAIN}'><subscribe xmlns='urn:xmpp:iot:events' seqnr='7' momentary='true'>${DEVICES.map((id) => `<node nodeId='${id}'/>`).join("")}</subscribe></iq>`);
		await waitUntil("the subscriptions", () => subscribed.size === DEVICES.length, { withinMs: 5_000 });
		let most = 0;
		const report = (index: number, text: string): void => {
			const now = Date.now();
			const twin = twins[index % twins.length]!;
			subscribed.changed?.(twin.apply([{ point: "level", value: numericFromText(text)!, at: now, received: now, quality: "good" }], true, now));
			most = Math.max(most, windows.outstanding(client.user.full));
		};
		const count = await changes((index) => report(index, `${index}.25`));
		for (const [index, id] of DEVICES.entries()) report(index, `77.${id.charCodeAt(0)}`);
		try {
			await waitUntil("the newest values", () => client.state.dropped || DEVICES.every((id) => client.newest.get(id) === `77.${id.charCodeAt(0)}`), { withinMs: 15_000, logTail: () => JSON.stringify([...client.newest]) });
			assert.equal(client.state.dropped, false);
			assert.ok(count > 5_000 && client.state.taken < count, `of ${count} changes ${client.state.taken} stanzas were made`);
			assert.ok(most >= WINDOW && most <= 2 * WINDOW, `${most} were on their way`);
		} finally {
			subscribed.closing?.();
			await client.end();
		}
	});

	test("is dropped by the server when each change is a stanza: the control", async () => {
		hear = () => undefined;
		const client = await slowClient(JULIET);
		try {
			await changes((count) => {
				component.send(`<message from='a@${DOMAIN}' to='${client.user.full}' id='raw-${count}'><fields xmlns='urn:xmpp:iot:sensordata' seqnr='7' done='true'/><no-store xmlns='urn:xmpp:hints'/></message>`);
			}, () => client.state.dropped);
			await waitUntil("the server to drop it", () => client.state.dropped, { withinMs: 10_000 });
			assert.match(client.user.unread.at(-1)?.raw ?? "", /<policy-violation .*Too many unacked stanzas/);
		} finally {
			client.state.over = true;
			await client.end();
		}
	});
});

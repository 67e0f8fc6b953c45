// RFC 6121 §3: who has agreed with which device to see its presence. A component has no server to keep its rosters.
// Source: https://www.rfc-editor.org/rfc/rfc6121#section-3

import { GatewayError } from "../core/errors.js";
import type { Subscription, SubscriptionStore } from "../core/subscription.js";

/** Ten thousand devices with ten contacts each, some 30 MB. */
const MAX_SUBSCRIPTIONS = 100_000;
/** Changes under way at once: a store that hangs must not fill the memory with what waits for it. */
const MAX_UNDER_WAY = 5_000;

/** What a change made of a subscription. */
export interface Changed {
	readonly before: Subscription;
	readonly after: Subscription;
	/** Somebody lost sight of a device, and the store did not take it: it counts until the next start. */
	readonly failure?: Error;
}

/** All subscriptions, in memory for reading, on disk before they count. */
export class Subscriptions {
	readonly #store: SubscriptionStore;
	readonly #byDevice = new Map<string, Map<string, Subscription>>();
	readonly #watchers = new Map<string, Set<Subscription>>();
	/** The last change under way of each pair. */
	readonly #underWay = new Map<string, Promise<unknown>>();
	#size = 0;
	#pending = 0;

	constructor(store: SubscriptionStore) {
		this.#store = store;
		for (const subscription of store.subscriptions()) this.#keep(subscription);
	}

	get(device: string, contact: string): Subscription | undefined {
		return this.#byDevice.get(device)?.get(contact);
	}

	/** Everybody who has to do with this device. */
	of(device: string): Subscription[] {
		return [...(this.#byDevice.get(device)?.values() ?? [])];
	}

	/** Who sees this device: every subscription with `from`. */
	watchers(device: string): ReadonlySet<Subscription> {
		return this.#watchers.get(device) ?? NOBODY;
	}

	*all(): Iterable<Subscription> {
		for (const contacts of this.#byDevice.values()) yield* contacts.values();
	}

	/** How many have asked and wait for an answer. */
	get pending(): number {
		return this.#pending;
	}

	/**
	 * Change one subscription, after every change of it that is already under way; on disk before it resolves.
	 *
	 * @param decide Gets what there is now, and gives what there shall be: the same object for no change.
	 * @throws {GatewayError} `store-failed`, `busy` beyond the bounds: nothing has changed then.
	 */
	change(device: string, contact: string, decide: (before: Subscription) => Subscription): Promise<Changed> {
		const key = `${device}\n${contact}`;
		if (this.#underWay.size >= MAX_UNDER_WAY) return Promise.reject(new GatewayError("busy", `Cannot change the subscription of "${contact}" to "${device}": ${MAX_UNDER_WAY} others wait for the store`));
		const run = (): Promise<Changed> => this.#change(device, contact, decide);
		const result = (this.#underWay.get(key) ?? Promise.resolve()).then(run);
		const settled = result.then(() => undefined, () => undefined).then(() => {
			if (this.#underWay.get(key) === settled) this.#underWay.delete(key);
		});
		this.#underWay.set(key, settled);
		return result;
	}

	async #change(device: string, contact: string, decide: (before: Subscription) => Subscription): Promise<Changed> {
		const known = this.get(device, contact);
		const before = known ?? { device, contact, from: false, to: false, pendingIn: false, pendingOut: false };
		const after = decide(before);
		if (isSame(before, after)) return { before, after: before };
		if (known === undefined && this.#size >= MAX_SUBSCRIPTIONS) throw new GatewayError("busy", `Cannot keep the subscription of "${contact}" to "${device}": there are ${MAX_SUBSCRIPTIONS} already`);
		try {
			await this.#store.putSubscription(after);
		} catch (error) {
			if (!before.from || after.from) throw error;
			this.#keep(after);
			return { before, after, failure: error instanceof Error ? error : new Error(String(error)) };
		}
		this.#keep(after);
		return { before, after };
	}

	#keep(subscription: Subscription): void {
		const { device, contact, from, to, pendingIn, pendingOut } = subscription;
		const contacts = this.#byDevice.get(device) ?? new Map<string, Subscription>();
		const watchers = this.#watchers.get(device) ?? new Set<Subscription>();
		const before = contacts.get(contact);
		if (before) {
			watchers.delete(before);
			this.#size--;
			if (before.pendingIn) this.#pending--;
		}
		contacts.delete(contact);
		if (from || to || pendingIn || pendingOut) {
			contacts.set(contact, subscription);
			this.#size++;
			if (pendingIn) this.#pending++;
			if (from) watchers.add(subscription);
		}
		setOrDelete(this.#byDevice, device, contacts);
		setOrDelete(this.#watchers, device, watchers);
	}
}

const NOBODY: ReadonlySet<Subscription> = new Set();

function isSame(a: Subscription, b: Subscription): boolean {
	return a.from === b.from && a.to === b.to && a.pendingIn === b.pendingIn && a.pendingOut === b.pendingOut;
}

function setOrDelete<K, V extends { readonly size: number }>(map: Map<K, V>, key: K, value: V): void {
	if (value.size === 0) map.delete(key);
	else map.set(key, value);
}

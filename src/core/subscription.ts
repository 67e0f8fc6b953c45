/** What a device and a contact have agreed on about presence: RFC 6121 §3, seen from the device. */
export interface Subscription {
	/** Device id; empty for the gateway itself. */
	readonly device: string;
	/** Bare JID. */
	readonly contact: string;
	/** The contact sees the device. */
	readonly from: boolean;
	/** The device sees the contact. */
	readonly to: boolean;
	/** The contact has asked, and nobody has decided. */
	readonly pendingIn: boolean;
	/** The device has asked. */
	readonly pendingOut: boolean;
}

/** Where subscriptions survive a restart. */
export interface SubscriptionStore {
	subscriptions(): readonly Subscription[];
	/** Resolves when it is on disk; one without any flag set is deleted. @throws {GatewayError} `store-failed`. */
	putSubscription(subscription: Subscription): Promise<void>;
}

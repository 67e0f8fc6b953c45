/** Everything that can go wrong in a way that somebody outside must be told about. */
export type Fault =
	| "unknown-device" // no such device, or the asker may not know of it
	| "unknown-point" // no such point on a device that the asker may see
	| "not-writable" // the point is read-only
	| "not-readable" // the point is write-only
	| "bad-value" // wrong kind, out of range, or an unknown label
	| "bad-request" // the request itself is malformed
	| "forbidden" // the asker may see the device, and may not do this
	| "busy" // a limit of the gateway: too many requests
	| "conflict" // the same request is under way already
	| "device-offline" // known, but not reachable now
	| "device-timeout" // told, but nothing confirmed it in time
	| "device-differs" // told, and it took another value
	| "device-refused" // the device itself said no
	| "link-down" // the port or the broker is gone
	| "not-implemented" // known to the standard, not to this gateway
	| "bad-frame" // bytes that the protocol forbids; never leaves the south wing
	| "bad-payload" // a message that does not fit its declaration; never leaves the south wing
	| "bad-config" // a config file or definition that cannot be used
	| "store-failed"; // the database did not take it

/** The one error class of the gateway. `fault` is for programs, `message` is for people. */
export class GatewayError extends Error {
	override readonly name = "GatewayError";
	readonly fault: Fault;

	constructor(fault: Fault, message: string, options?: ErrorOptions) {
		super(message, options);
		this.fault = fault;
	}
}

/** What an error of any kind says, for a log line or a status. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

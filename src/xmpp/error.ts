/** RFC 6120 §4.9.3, and the two that XEP-0114 §3 names. */
export const STREAM_CONDITIONS = [
	"bad-format", "bad-namespace-prefix", "conflict", "connection-timeout", "host-gone", "host-unknown", "improper-addressing",
	"internal-server-error", "invalid-from", "invalid-id", "invalid-namespace", "invalid-xml", "not-authorized", "not-well-formed", "policy-violation",
	"remote-connection-failed", "reset", "resource-constraint", "restricted-xml", "see-other-host", "system-shutdown",
	"undefined-condition", "unsupported-encoding", "unsupported-feature", "unsupported-stanza-type", "unsupported-version",
] as const;

/** Why a stream ends, in the words of RFC 6120 §4.9.3. */
export type StreamCondition = (typeof STREAM_CONDITIONS)[number];

/** The fault of a stream: `condition` for programs and for the other side, `message` for people. */
export class XmppError extends Error {
	override readonly name = "XmppError";
	readonly condition: StreamCondition;

	constructor(condition: StreamCondition, message: string, options?: ErrorOptions) {
		super(message, options);
		this.condition = condition;
	}
}

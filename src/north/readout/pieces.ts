// RFC 6120 §13.12: what goes into one stanza.
import { short } from "./nodes.js";
import type { Failure, Field, Group, Part, ReadoutCodec } from "./request.js";

/** More than one stanza carries. */
const MAX_FAILURES = 1_000;

/**
 * Cuts groups into parts of a stanza each. Groups go in one at a time, and what is ready comes out at once: never more than
 * two stanzas are in memory.
 */
export class Pieces {
	/** What could not be told; they go last, in a part of their own. */
	readonly failures: Failure[] = [];
	readonly #codec: ReadoutCodec;
	readonly #budget: number;
	#batch: Group[] = [];
	#bytes = 0;
	/** Devices that are in the batch. */
	readonly #inside = new Set<string>();
	/** The batch before: only with the next one is known that it is not the last. */
	#ready: readonly Group[] | undefined;
	/** Of the group that was measured last. */
	#measured: { readonly device: string; readonly length: number; readonly node: number; readonly moment: number } | undefined;

	/** @param budget Bytes of each part, without what stands around its nodes. */
	constructor(codec: ReadoutCodec, budget: number) {
		this.#codec = codec;
		this.#budget = budget;
	}

	/** Take a group in. @returns What is ready now. */
	add(group: Group): Part[] {
		const out: Part[] = [];
		const { node, moment } = this.#around(group);
		let fields: Field[] = [];
		for (const field of group.fields) {
			const size = bytesOf(this.#codec.field(field).toString());
			if (node + moment + size > this.#budget) {
				// Cut text would be a false value. Of a hundred thousand such values a thousand are named.
				if (this.failures.length < MAX_FAILURES) this.failures.push({ node: group.node, device: group.device, timestamp: group.timestamp, point: field.name, text: `Cannot send "${short(field.name)}": its value takes ${size} bytes, and one stanza has room for ${this.#budget}` });
				continue;
			}
			const opening = (fields.length === 0 ? moment : 0) + (this.#inside.has(group.device) ? 0 : node);
			if (this.#bytes + size + opening > this.#budget) {
				if (fields.length > 0) this.#batch.push({ ...group, fields });
				fields = [];
				out.push(...this.#close());
				this.#bytes = node + moment;
			} else this.#bytes += opening;
			this.#inside.add(group.device);
			this.#bytes += size;
			fields.push(field);
		}
		if (fields.length > 0) this.#batch.push({ ...group, fields });
		return out;
	}

	/** Nothing comes any more. @returns The last parts; the last of them is `done`. */
	end(): Part[] {
		const out = this.#batch.length > 0 ? this.#close() : [];
		const isWell = this.failures.length === 0;
		// slixmpp crashes on data after a failure, and knows no `<done/>`: an empty answer is empty fields.
		if (this.#ready || isWell) out.push({ kind: "fields", groups: this.#ready ?? [], done: isWell });
		if (!isWell) out.push({ kind: "failure", failures: fitting(this.failures, this.#codec, this.#budget), done: true });
		return out;
	}

	#close(): Part[] {
		const before = this.#ready;
		this.#ready = this.#batch;
		this.#batch = [];
		this.#bytes = 0;
		this.#inside.clear();
		return before ? [{ kind: "fields", groups: before, done: false }] : [];
	}

	/** What stands around the fields of a group: its node, once a stanza, and its moment. */
	#around({ node: ref, device, timestamp, fields }: Group): { readonly node: number; readonly moment: number } {
		if (this.#measured?.device === device && this.#measured.length === timestamp.length) return this.#measured;
		// With a field inside, since an element that is empty is written shorter.
		const group: Group = { node: ref, device, timestamp, fields: fields.slice(0, 1) };
		const size = (groups: readonly Group[]): number => bytesOf(this.#codec.part("", { kind: "fields", groups, done: false }).toString());
		const [none, one, two, field] = [size([]), size([group]), size([group, group]), fields[0] ? bytesOf(this.#codec.field(fields[0]).toString()) : 0];
		const moment = two - one - field;
		this.#measured = { device, length: timestamp.length, moment, node: one - none - moment - field };
		return this.#measured;
	}
}

/** Of many failures as many as one stanza carries, the rest as a number: there is only one stanza of them. */
function fitting(failures: readonly Failure[], codec: ReadoutCodec, budget: number): readonly Failure[] {
	const summary = (left: number): Failure => ({ ...failures[0]!, text: `Cannot list all that failed: there are ${left} more` });
	const size = (failure: Failure): number => bytesOf(codec.part("", { kind: "failure", failures: [failure], done: true }).toString());
	let bytes = size(summary(failures.length));
	const count = failures.findIndex((failure) => (bytes += size(failure)) > budget);
	if (count < 0) return failures;
	return [...failures.slice(0, count), summary(failures.length - count)];
}

export function bytesOf(text: string): number {
	return Buffer.byteLength(text);
}

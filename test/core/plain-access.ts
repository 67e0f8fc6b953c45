// The rules of access as they are written down, with nothing remembered: what the real one must say, too.
import type { AccessRule, Role } from "../../src/core/access.js";
import { isReadable, isWritable, type Points } from "../../src/core/point.js";

const RANK: Readonly<Record<Role, number>> = { none: 0, viewer: 1, operator: 2, owner: 3 };

/** Every rule asked anew each time. */
export class PlainAccess {
	readonly #rules: readonly AccessRule[];

	constructor(rules: readonly AccessRule[]) {
		this.#rules = rules;
	}

	/** The role of a bare JID for one point of one device. */
	role(who: string, device: string, point: string): Role {
		return this.#rules.find((rule) => isWho(rule.who, who) && speaksOf(rule, device, point))?.role ?? "none";
	}

	mayRead(who: string, device: string, point: string): boolean {
		return RANK[this.role(who, device, point)] >= RANK.viewer;
	}

	maySet(who: string, device: string, point: string): boolean {
		return RANK[this.role(who, device, point)] >= RANK.operator;
	}

	/** Is there any point of this device that he may see? If not, it does not exist for him. */
	maySee(who: string, device: string, points: Points): boolean {
		const names = Object.keys(points);
		// A device whose points are not known yet is seen by who may see all of it.
		return names.length === 0 ? this.mayRead(who, device, "") : names.some((name) => this.mayRead(who, device, name));
	}

	/** The points of a device that he may see, in their order. */
	readable(who: string, device: string, points: Points): string[] {
		return Object.keys(points).filter((name) => isReadable(points[name]!) && this.mayRead(who, device, name));
	}

	/** The points of a device that he may set, in their order. */
	settable(who: string, device: string, points: Points): string[] {
		return Object.keys(points).filter((name) => isWritable(points[name]!) && this.maySet(who, device, name));
	}

	/** Does any rule but a refusal name him? Then the gateway's own address exists for him. */
	knows(who: string): boolean {
		for (const rule of this.#rules) {
			if (!isWho(rule.who, who)) continue;
			if (rule.role !== "none") return true;
			if (rule.devices === undefined && rule.points === undefined) return false; // refused as a whole: no later rule counts
		}
		return false;
	}
}

function isWho(pattern: string, who: string): boolean {
	if (pattern.startsWith("*@")) return who.indexOf("@") > 0 && who.slice(who.indexOf("@") + 1) === pattern.slice(2);
	return pattern === who;
}

function speaksOf(rule: AccessRule, device: string, point: string): boolean {
	if (rule.devices !== undefined && !rule.devices.some((pattern) => matches(pattern, device))) return false;
	return rule.points === undefined || Object.entries(rule.points).some(([pattern, names]) => matches(pattern, device) && names.some((name) => matches(name, point)));
}

/** Does `pattern` match the whole of `text`, without case? `*` stands for any characters. Linear in the text for each `*`. */
function matches(pattern: string, text: string): boolean {
	const parts = pattern.toLowerCase().split("*");
	const folded = text.toLowerCase();
	const first = parts[0]!;
	if (parts.length === 1) return folded === first;
	const last = parts[parts.length - 1]!;
	if (!folded.startsWith(first) || !folded.endsWith(last) || folded.length < first.length + last.length) return false;
	let at = first.length;
	const end = folded.length - last.length;
	for (const part of parts.slice(1, -1)) {
		const found = folded.indexOf(part, at);
		if (found < 0 || found + part.length > end) return false;
		at = found + part.length;
	}
	return true;
}

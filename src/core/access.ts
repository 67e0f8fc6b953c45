import { isReadable, isWritable, type Points } from "./point.js";

/** What somebody may do: a viewer reads, an operator also commands, an owner also administers; `none` is a refusal that stops the search. */
export type Role = "none" | "viewer" | "operator" | "owner";

/** One rule of `access:`. It speaks of everything, or of the devices and of the points that it names: of what fits both, where it names both. */
export interface AccessRule {
	/** A whole bare JID, or `*@domain`. Lower case. */
	readonly who: string;
	readonly role: Role;
	/** Patterns of device ids: `pump-*`. */
	readonly devices?: readonly string[];
	/** Patterns of point names, by pattern of device id. */
	readonly points?: Readonly<Record<string, readonly string[]>>;
}

const RANK: Readonly<Record<Role, number>> = { none: 0, viewer: 1, operator: 2, owner: 3 };

/** The id under which rules speak of the gateway itself. */
export const GATEWAY_ID = "";

/**
 * Devices of which is remembered what the rules say, for all people together: some 200 bytes each. Several people may look through a large site again and again;
 * beyond that it is found out anew.
 */
const MAX_KNOWN = 50_000;
/** People of whom is remembered what rules they have: anybody may ask. */
const MAX_PEOPLE = 1_000;

/** A rule, ready for use. */
interface Compiled extends Pick<AccessRule, "who" | "role"> {
	readonly devices: readonly Matcher[] | undefined;
	readonly points: readonly { readonly device: Matcher; readonly names: readonly Matcher[] }[] | undefined;
}

/** A rule as it is for one device. */
interface Grant {
	readonly role: Role;
	/** Names of points that it speaks of. Nothing: of all. */
	readonly names: readonly Matcher[] | undefined;
}

/** One device for one person. */
interface Known {
	readonly grants: readonly Grant[];
	/** He may see a point of these, or may not. */
	points: Points | undefined;
	sees: boolean;
}

/** One person: the rules that speak of him, in their order, and the devices that he asked for. */
interface Person {
	readonly rules: readonly Compiled[];
	readonly devices: Map<string, Known>;
}

/** Who may do what. The first rule that matches (who, device, point) decides; what no rule matches is denied. It never changes: for other rules there is another one. */
export class Access {
	readonly #rules: readonly Compiled[];
	readonly #people = new Map<string, Person>();
	#known = 0;

	constructor(rules: readonly AccessRule[]) {
		this.#rules = rules.map(({ who, role, devices, points }) => ({
			who, role, devices: devices?.map(matcher),
			points: points && Object.entries(points).map(([pattern, names]) => ({ device: matcher(pattern), names: names.map(matcher) })),
		}));
	}

	/** The role of a bare JID for one point of one device. */
	role(who: string, device: string, point: string): Role {
		return roleOf(this.#of(who, device).grants, point);
	}

	mayRead(who: string, device: string, point: string): boolean {
		return RANK[this.role(who, device, point)] >= RANK.viewer;
	}

	maySet(who: string, device: string, point: string): boolean {
		return RANK[this.role(who, device, point)] >= RANK.operator;
	}

	/** Is there any point of this device that he may see? If not, it does not exist for him. */
	maySee(who: string, device: string, points: Points): boolean {
		const known = this.#of(who, device);
		if (known.points !== points) {
			const names = Object.keys(points);
			const mayRead = (name: string): boolean => RANK[roleOf(known.grants, name)] >= RANK.viewer;
			// A device whose points are not known yet is seen by who may see all of it.
			known.sees = names.length === 0 ? mayRead("") : names.some(mayRead);
			known.points = points;
		}
		return known.sees;
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
		for (const rule of this.#person(who).rules) {
			if (rule.role !== "none") return true;
			if (rule.devices === undefined && rule.points === undefined) return false; // refused as a whole: no later rule counts
		}
		return false;
	}

	#person(who: string): Person {
		let person = this.#people.get(who);
		if (!person) {
			if (this.#people.size >= MAX_PEOPLE) this.#forget();
			this.#people.set(who, (person = { rules: this.#rules.filter((rule) => isWho(rule.who, who)), devices: new Map() }));
		}
		return person;
	}

	#of(who: string, device: string): Known {
		let person = this.#person(who);
		let known = person.devices.get(device);
		if (!known) {
			if (this.#known >= MAX_KNOWN) {
				this.#forget();
				person = this.#person(who);
			}
			this.#known++;
			person.devices.set(device, (known = { grants: grantsOf(person.rules, device.toLowerCase()), points: undefined, sees: false }));
		}
		return known;
	}

	#forget(): void {
		this.#people.clear();
		this.#known = 0;
	}
}

const NO_GRANTS: readonly Grant[] = [];

/** What the rules say of one device: none of those that can never decide. */
function grantsOf(rules: readonly Compiled[], device: string): readonly Grant[] {
	const grants: Grant[] = [];
	for (const { role, devices, points } of rules) {
		if (devices !== undefined && !devices.some((fits) => fits(device))) continue;
		const names = points?.filter((each) => each.device(device)).flatMap((each) => each.names);
		if (names === undefined || names.length > 0) grants.push({ role, names });
		if (names === undefined) break;
	}
	return grants.length === 0 ? NO_GRANTS : grants;
}

function roleOf(grants: readonly Grant[], point: string): Role {
	let folded: string | undefined;
	for (const { role, names } of grants) {
		if (names === undefined) return role;
		const name = (folded ??= point.toLowerCase());
		if (names.some((fits) => fits(name))) return role;
	}
	return "none";
}

function isWho(pattern: string, who: string): boolean {
	if (pattern.startsWith("*@")) return who.indexOf("@") > 0 && who.slice(who.indexOf("@") + 1) === pattern.slice(2);
	return pattern === who;
}

/** Does `pattern` match the whole of `text`, without case? `*` stands for any characters. Linear in the text for each `*`. */
export function matches(pattern: string, text: string): boolean {
	return matcher(pattern)(text.toLowerCase());
}

/** Tells of a text in lower case. */
type Matcher = (folded: string) => boolean;

function matcher(pattern: string): Matcher {
	const parts = pattern.toLowerCase().split("*");
	const first = parts[0]!, last = parts[parts.length - 1]!, between = parts.slice(1, -1);
	if (parts.length === 1) return (folded) => folded === first;
	return (folded) => {
		if (!folded.startsWith(first) || !folded.endsWith(last) || folded.length < first.length + last.length) return false;
		let at = first.length;
		const end = folded.length - last.length;
		for (const part of between) {
			const found = folded.indexOf(part, at);
			if (found < 0 || found + part.length > end) return false;
			at = found + part.length;
		}
		return true;
	};
}

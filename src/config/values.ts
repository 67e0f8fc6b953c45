// The scalars of the config file: what they look like, and what they mean.
import { z } from "zod";
import { parseDuration } from "../core/duration.js";
import { unitFrom, type Unit } from "../core/unit.js";

export const duration = z.string().transform((text, context): number => {
	const span = parseDuration(text);
	if (span !== undefined) return span;
	context.addIssue({ code: "custom", message: `is no length of time: "${text}"; write 500ms, 5s, 15m, 24h or 1d` });
	return z.NEVER;
});

const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 1_000, mb: 1_000_000, gb: 1_000_000_000 };

export const bytes = z.string().transform((text, context): number => {
	const match = /^(\d+)\s*(B|kB|MB|GB)$/i.exec(text.trim());
	if (match) return Number(match[1]) * SIZES[match[2]!.toLowerCase()]!;
	context.addIssue({ code: "custom", message: `is no size: "${text}"; write 256kB, 512MB or 1GB` });
	return z.NEVER;
});

/** How small a change is none: in the unit of the point, or in percent of the value before. */
export const deadband = z.union([z.number().positive(), z.string()]).transform((said, context): { readonly absolute: number } | { readonly percent: number } => {
	if (typeof said === "number") return { absolute: said };
	const match = /^(\d+(?:\.\d+)?)\s*%$/.exec(said.trim());
	if (match && Number(match[1]) > 0) return { percent: Number(match[1]) };
	context.addIssue({ code: "custom", message: `is no deadband: "${said}"; write 0.2 or "5%"` });
	return z.NEVER;
});

export const unit = z.string().transform((text, context): Unit => {
	const found = unitFrom(text);
	if (found !== undefined) return found;
	context.addIssue({ code: "custom", message: `is no unit that Jidway knows: "${text}"; write °C, %, V, W, kWh, hPa, ppm …` });
	return z.NEVER;
});

export const identifier = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, "must be made of a-z, 0-9, - and _").max(63);

/** A device id: no character that people cannot type, and none that makes two ids one. */
export const deviceId = z.string().min(1).max(200).regex(/^\S(.*\S)?$/, "must not begin or end with a blank").refine((id) => id === id.normalize("NFC").toLowerCase(), "must be in lower case: the localpart of an XMPP address has none other");

/** A whole bare JID, or `*@domain`. */
export const access = z.string().transform((text, context): string => {
	const who = text.trim().toLowerCase();
	if (/^(\*|[^\s@/"&'<>:*]+)@[a-z0-9.-]+$/.test(who)) return who;
	context.addIssue({ code: "custom", message: `must be a whole address like alice@example.org, or *@example.org for everybody of a domain: "${text}"` });
	return z.NEVER;
});

export const listen = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, "must be host:port, like 127.0.0.1:8642")
	.refine((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "names a port above 65535");

/** A domain name as servers compare it: no final dot, no empty label. */
export const domain = z.string().max(253).toLowerCase().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/, "is no domain name: write it like things.example.org");

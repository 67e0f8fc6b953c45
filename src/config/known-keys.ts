import { z } from "zod";

/** The keys that an object of the schema takes at `path`; `tree` decides between the kinds of a union. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[], tree: unknown): string[] {
	let at: z.core.$ZodType | undefined = schema;
	let node = tree;
	for (const key of path) {
		at = step(unwrap(at, node), key);
		node = typeof node === "object" && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined;
	}
	const found = unwrap(at, node);
	return found instanceof z.ZodObject ? Object.keys(found.shape) : [];
}

function step(schema: z.core.$ZodType | undefined, key: PropertyKey): z.core.$ZodType | undefined {
	if (schema instanceof z.ZodObject) return (schema.shape as Record<PropertyKey, z.core.$ZodType>)[key];
	if (schema instanceof z.ZodArray) return schema.element;
	if (schema instanceof z.ZodRecord) return schema.valueType;
	return undefined;
}

/** Through defaults and options to the object; of a union, the kind that the file names. */
function unwrap(schema: z.core.$ZodType | undefined, node: unknown): z.core.$ZodType | undefined {
	if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return unwrap(schema.unwrap() as z.core.$ZodType, node);
	if (schema instanceof z.ZodDiscriminatedUnion) {
		const kind = typeof node === "object" && node !== null ? (node as Record<string, unknown>)["kind"] : undefined;
		return schema.options.find((option) => option instanceof z.ZodObject && (option.shape["kind"] as z.ZodLiteral | undefined)?.value === kind) as z.core.$ZodType | undefined;
	}
	return schema;
}

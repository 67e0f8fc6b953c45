// Sparkplug payloads for tests, written field by field from the .proto of the specification and with nothing of src/: a codec must not vouch for itself.

export interface Fields {
	readonly name?: string;
	readonly alias?: bigint;
	readonly time?: bigint;
	readonly type?: number;
	readonly historical?: boolean;
	readonly isNull?: boolean;
	readonly properties?: readonly (readonly [key: string, value: string | number | boolean])[];
	readonly int?: bigint;
	readonly long?: bigint;
	readonly float?: number;
	readonly double?: number;
	readonly bool?: boolean;
	readonly string?: string;
	readonly bytes?: readonly number[];
	readonly dataset?: { readonly columns: readonly string[]; readonly types: readonly number[]; readonly rows: readonly (readonly (string | number)[])[] };
	readonly template?: { readonly definition?: boolean; readonly metrics: readonly Fields[] };
}

/** Says that these fields are a metric. */
export function metric(fields: Fields): Fields {
	return fields;
}

export function payload(head: { readonly time?: bigint; readonly seq?: number }, ...metrics: readonly Fields[]): Uint8Array {
	return Uint8Array.from([
		...(head.time === undefined ? [] : number(1, head.time)),
		...metrics.flatMap((one) => lengthened(2, bytesOf(one))),
		...(head.seq === undefined ? [] : number(3, BigInt(head.seq))),
	]);
}

function bytesOf(fields: Fields): number[] {
	const out: number[] = [];
	if (fields.name !== undefined) out.push(...text(1, fields.name));
	if (fields.alias !== undefined) out.push(...number(2, fields.alias));
	if (fields.time !== undefined) out.push(...number(3, fields.time));
	if (fields.type !== undefined) out.push(...number(4, BigInt(fields.type)));
	if (fields.historical !== undefined) out.push(...number(5, BigInt(fields.historical)));
	if (fields.isNull !== undefined) out.push(...number(7, BigInt(fields.isNull)));
	if (fields.properties) out.push(...lengthened(9, [...fields.properties.flatMap(([key]) => text(1, key)), ...fields.properties.flatMap(([, value]) => lengthened(2, property(value)))]));
	if (fields.int !== undefined) out.push(...number(10, fields.int));
	if (fields.long !== undefined) out.push(...number(11, fields.long));
	if (fields.float !== undefined) out.push(0x65, ...floating(fields.float, 4));
	if (fields.double !== undefined) out.push(0x69, ...floating(fields.double, 8));
	if (fields.bool !== undefined) out.push(...number(14, BigInt(fields.bool)));
	if (fields.string !== undefined) out.push(...text(15, fields.string));
	if (fields.bytes) out.push(...lengthened(16, fields.bytes));
	if (fields.dataset) {
		const { columns, types, rows } = fields.dataset;
		const cell = (value: string | number): number[] => lengthened(1, typeof value === "string" ? text(6, value) : number(1, BigInt.asUintN(32, BigInt(value))));
		out.push(...lengthened(17, [...number(1, BigInt(columns.length)), ...columns.flatMap((column) => text(2, column)), ...types.flatMap((type) => number(3, BigInt(type))), ...rows.flatMap((row) => lengthened(4, row.flatMap(cell)))]));
	}
	if (fields.template) out.push(...lengthened(18, [...fields.template.metrics.flatMap((one) => lengthened(2, bytesOf(one))), ...number(5, BigInt(fields.template.definition ?? false))]));
	return out;
}

function property(value: string | number | boolean): number[] {
	if (typeof value === "string") return [...number(1, 12n), ...text(8, value)];
	return typeof value === "boolean" ? [...number(1, 11n), ...number(7, BigInt(value))] : [...number(1, 3n), ...number(3, BigInt.asUintN(32, BigInt(value)))];
}

function text(id: number, value: string): number[] {
	return lengthened(id, [...Buffer.from(value, "utf8")]);
}

function lengthened(id: number, bytes: readonly number[]): number[] {
	return [...varint(BigInt(id * 8 + 2)), ...varint(BigInt(bytes.length)), ...bytes];
}

function number(id: number, value: bigint): number[] {
	return [...varint(BigInt(id * 8)), ...varint(value)];
}

function varint(value: bigint): number[] {
	return value < 128n ? [Number(value)] : [Number(value % 128n) + 128, ...varint(value / 128n)];
}

function floating(value: number, width: 4 | 8): number[] {
	const bytes = Buffer.alloc(width);
	if (width === 4) bytes.writeFloatLE(value);
	else bytes.writeDoubleLE(value);
	return [...bytes];
}

import { isReadable } from "../../core/point.js";
import type { Millis } from "../../core/clock.js";
import type { ModbusDefinition } from "../definition.js";
import type { Table } from "../link.js";
import { MAX_READ_BITS, MAX_READ_REGISTERS, READ_FUNCTION, type ReadRequest } from "./modbus-rtu.js";
import { lengthOf } from "./register-place.js";

/** One request of a plan. */
export interface PlannedRead {
	readonly request: ReadRequest;
	/** The same without the unused registers between: for units that refuse those (exception 2). Left out where there are none. */
	readonly parts?: readonly ReadRequest[];
}

/** What one unit is asked, and how often. */
export interface PollPlan {
	readonly unit: number;
	readonly every: Millis;
	readonly reads: readonly PlannedRead[];
}

/** Everything that can be read of a unit, in as few requests as its definition allows. */
export function pollPlan(definition: ModbusDefinition, unit: number, every: Millis = definition.every): PollPlan {
	const reads: PlannedRead[] = [];
	for (const table of ["coil", "discrete", "input", "holding"] as const) {
		const bits = table === "coil" || table === "discrete";
		// The bound of a definition is meant for registers; coils are sixteen to one.
		const most = bits ? Math.min(MAX_READ_BITS, 16 * definition.request.registers) : Math.min(MAX_READ_REGISTERS, definition.request.registers);
		const runs = runsOf(definition, table);
		for (const group of joined(runs, definition.request.gap, most)) {
			const parts = joined(runs.filter((run) => run.first >= group.first && run.end <= group.end), 0, most);
			const request = (run: Run): ReadRequest => ({ function: READ_FUNCTION[table], unit, first: run.first, count: run.end - run.first });
			reads.push({ request: request(group), ...(parts.length > 1 && { parts: parts.map(request) }) });
		}
	}
	return { unit, every, reads };
}

/** Registers first to end - 1. */
interface Run {
	readonly first: number;
	readonly end: number;
}

function runsOf(definition: ModbusDefinition, table: Table): Run[] {
	return Object.values(definition.points)
		.filter(({ point, at }) => at.table === table && isReadable(point))
		.map(({ at }) => ({ first: at.register, end: at.register + lengthOf(at) }))
		.sort((a, b) => a.first - b.first || a.end - b.end);
}

function joined(runs: readonly Run[], gap: number, most: number): Run[] {
	const groups: Run[] = [];
	for (const run of runs) {
		const last = groups.at(-1);
		const end = Math.max(last?.end ?? 0, run.end);
		if (last && run.first - last.end <= gap && end - last.first <= most) groups[groups.length - 1] = { first: last.first, end };
		else groups.push(run);
	}
	return groups;
}

import assert from "node:assert/strict";
import type { Convention } from "../../../src/south/conventions/convention.js";
import type { Message } from "../../../src/south/link.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";

/** Damaged messages, cut ones and noise: nothing is thrown, and what is told is of devices that were announced. */
export function endures(build: () => Convention, seeds: readonly Message[]): void {
	for (const seed of seeds) {
		for (let length = 0; length <= seed.payload.length; length += Math.ceil(seed.payload.length / 200)) build().hear({ ...seed, payload: seed.payload.subarray(0, length) });
	}
	const chance = new Chance(4711);
	let convention = build();
	let known = new Set<string>();
	for (let run = 0; run < RUNS; run++) {
		if (run % 500 === 0) [convention, known] = [build(), new Set()];
		const seed = chance.pick(seeds);
		const topic = chance.int(4) === 0 ? Buffer.from(mutate(chance, Buffer.from(seed.topic))).toString() : seed.topic;
		const payload = chance.int(10) === 0 ? chance.bytes(chance.int(60)) : chance.int(4) === 0 ? seed.payload : mutate(chance, seed.payload);
		const meaning = convention.hear({ ...seed, topic, payload, retained: chance.int(2) === 0 });
		for (const { address } of meaning?.announced ?? []) known.add(address);
		for (const { address } of meaning?.told ?? []) assert.ok(known.has(address), address);
	}
}

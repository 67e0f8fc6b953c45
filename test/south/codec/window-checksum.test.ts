import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKSUM_NAMES, checksumOf } from "../../../src/south/codec/checksum.js";
import { WindowChecksum } from "../../../src/south/codec/window-checksum.js";
import { Chance } from "../../fakes/fuzz.js";

for (const name of CHECKSUM_NAMES) {
	test(`a WindowChecksum of ${name} is checksumOf() of each window, in whatever order they are asked for`, () => {
		const chance = new Chance(17);
		const sums = new WindowChecksum(name, 9_000);
		for (let round = 0; round < 20; round++) {
			const bytes = Uint8Array.from({ length: 9_000 }, () => chance.int(256));
			sums.reset();
			let [from, length] = [0, 0];
			for (let window = 0; window < 100; window++) {
				// Onwards as a framer asks, now and then back, and up to windows longer than its tables.
				from = chance.int(10) === 0 ? chance.int(bytes.length) : Math.min(bytes.length, from + chance.int(90));
				// Some of one length in a row.
				if (chance.int(4) > 0) length = chance.int(chance.int(20) === 0 ? 9_000 : 300);
				const to = Math.min(bytes.length, from + length);
				assert.equal(sums.of(bytes, from, to), checksumOf(name, bytes, from, to), `round ${round}, [${from}..${to})`);
			}
		}
	});
}

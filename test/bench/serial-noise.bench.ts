// What 5 MB of noise cost on a serial line, framer by framer: each is to take less than 100 ms, whatever the noise is made of.

import { noiseFramers, noises, time } from "../south/serial/noise.js";

const MEGABYTES = 5;
const LIMIT_MS = 100;

const rows = noiseFramers().map(({ name, start, framer }) => {
	const costs = Object.entries(noises(start)).map(([what, chunk]) => {
		time(framer, chunk, 2e6); // compiled before it is measured
		return [what, Math.min(...Array.from({ length: 5 }, () => time(framer, chunk, MEGABYTES * 1e6)))] as const;
	});
	return { name, ...Object.fromEntries(costs.map(([what, ms]) => [what, Math.round(ms)])), [`under ${LIMIT_MS} ms`]: costs.every(([, ms]) => ms < LIMIT_MS) ? "yes" : "NO" };
});
console.log(`ms for ${MEGABYTES} MB of noise`);
console.table(rows);
if (rows.some((row) => row[`under ${LIMIT_MS} ms`] === "NO")) process.exitCode = 1;

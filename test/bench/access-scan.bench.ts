// Who may see which of 10 000 devices, as a list of all devices asks: by the rules asked anew each time, and by what is remembered of them.
import { Access, type AccessRule } from "../../src/core/access.js";
import type { Points } from "../../src/core/point.js";
import { PlainAccess } from "../core/plain-access.js";

const DEVICES = 10_000, POINTS = 10, SCANS = 5;
const devices = Array.from({ length: DEVICES }, (_, n): readonly [string, Points] => [`pump-${n}`, Object.fromEntries(Array.from({ length: POINTS }, (_, each) => [`point${each}.value`, { kind: "numeric", access: "r" } as const]))]);
const rulesFor: readonly (readonly [string, readonly AccessRule[]])[] = [
	["whose rule hides all", [{ who: "romeo@example.org", role: "viewer", devices: ["hall-*"], points: { "*-lobby": ["*.temperature"] } }]],
	["whose points are all hidden", [{ who: "romeo@example.org", role: "viewer", points: { "pump-*": ["*.temperature", "status*"] } }]],
	["who sees all", [{ who: "*@example.org", role: "viewer" }]],
];
const scan = (access: Access | PlainAccess): number => {
	const since = performance.now();
	for (const [id, points] of devices) access.maySee("romeo@example.org", id, points);
	return performance.now() - since;
};
for (const [what, rules] of rulesFor) {
	const plain = new PlainAccess(rules), real = new Access(rules);
	const slow = Math.min(...Array.from({ length: SCANS }, () => scan(plain)));
	const first = Math.min(...Array.from({ length: SCANS }, () => scan(new Access(rules))));
	scan(real);
	const fast = Math.min(...Array.from({ length: SCANS }, () => scan(real)));
	console.log(`${DEVICES} devices of ${POINTS} points, a viewer ${what}:`.padEnd(72), `anew ${slow.toFixed(1)} ms, remembered ${fast.toFixed(1)} ms (the first time ${first.toFixed(1)} ms): ratio ${(slow / fast).toFixed(0)}`);
}

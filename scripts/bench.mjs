// Runs the benchmarks of test/bench one after the other: `node scripts/bench.mjs [name…]`, a name being part of a file's name.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { guarded, installNodeModules, root, say } from "./setup.mjs";

await guarded(async () => {
	await installNodeModules();
	const folder = join(root, "test", "bench");
	const names = process.argv.slice(2);
	const files = (existsSync(folder) ? readdirSync(folder).sort() : []).filter((file) => file.endsWith(".bench.ts") && (names.length === 0 || names.some((name) => file.includes(name))));
	if (files.length === 0) say(names.length === 0 ? "there are no benchmarks: no file test/bench/*.bench.ts" : `no benchmark is named ${names.join(" or ")}`);
	for (const file of files) {
		say(`${file} …`);
		const child = spawn(process.execPath, ["--expose-gc", "--import", "tsx", join(folder, file)], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
		const code = await new Promise((done, reject) => child.once("error", reject).once("close", (number, signal) => done(number ?? signal)));
		if (code !== 0) {
			say(`${file} ended with ${code}`);
			process.exitCode = 1;
		}
	}
});

#!/usr/bin/env node
// The installed command. The program itself is compiled from src/main.ts.

import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (existsSync(main)) {
	await import(main.href);
} else {
	process.stderr.write("Cannot start jidway: it is not built yet. In a clone, build it with \"npm ci && npm run build\", and try again\n");
	process.exitCode = 1;
}

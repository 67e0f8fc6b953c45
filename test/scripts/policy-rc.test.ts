import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

interface Script {
	machinesOwn(standing: string | undefined, saved: string | undefined): "standing" | "saved" | "none";
	policyText(pid: number, saved: string): string;
	forbidStarts(file: string, pid?: number): () => void;
	dropStalePolicy(file: string, isAlive?: (pid: number) => boolean): boolean;
}
const script = new URL("../../scripts/policy-rc.mjs", import.meta.url).href;
const { machinesOwn, policyText, forbidStarts, dropStalePolicy }: Script = await import(script);

const THEIRS = "#!/bin/sh\nexit 104\n";
const OTHERS = "#!/bin/sh\nexit 0\n";
const OURS = policyText(1, "/x");
/** As it was written once, without the process. */
const OLD = "#!/bin/sh\n# Written by Jidway's setup while it installs packages; removed afterwards.\nexit 101\n";

let folder = "";
let file = "";
let saved = "";
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "jidway-policy-"));
	file = join(folder, "policy-rc.d");
	saved = `${file}.jidway-saved`;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const answer = (): number | null => spawnSync(file).status;
function found(): Record<string, string> {
	return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}
function put(standing: string | undefined, aside: string | undefined): void {
	for (const [at, text] of [[file, standing], [saved, aside]] as const) {
		if (text === undefined) continue;
		writeFileSync(at, text);
		chmodSync(at, 0o755);
	}
}

// [what stands there, what is put aside, which is the machine's own, its text]
const ROWS = [
	[undefined, undefined, "none", undefined], [THEIRS, undefined, "standing", THEIRS], [OURS, undefined, "none", undefined], [OLD, undefined, "none", undefined],
	[OURS, THEIRS, "saved", THEIRS], [OLD, THEIRS, "saved", THEIRS], [undefined, THEIRS, "saved", THEIRS], [OURS, OLD, "none", undefined], [undefined, OURS, "none", undefined], [THEIRS, OLD, "standing", THEIRS], [THEIRS, OTHERS, "standing", THEIRS], ["", undefined, "standing", ""],
] as const;
for (const [standing, aside, own, text] of ROWS) {
	const name = (what: string | undefined): string => (what === undefined ? "nothing" : what === OURS ? "ours" : what === OLD ? "an old one of ours" : what === "" ? "an empty file" : "a foreign one");
	test(`with ${name(standing)} there and ${name(aside)} put aside, the machine's own is ${own}; it comes back, and nothing of ours stays`, () => {
		assert.equal(machinesOwn(standing, aside), own);
		put(standing, aside);
		const restore = forbidStarts(file);
		assert.equal(answer(), 101);
		restore();
		assert.deepEqual(found(), text === undefined ? {} : { "policy-rc.d": text });
		restore();
		assert.deepEqual(found(), text === undefined ? {} : { "policy-rc.d": text });
	});
}

test("a killed run leaves nothing that forbids: its policy answers as the machine's own, and the next run removes it", async () => {
	put(THEIRS, undefined);
	const run = spawn(process.execPath, ["--input-type=module", "-e", `import { forbidStarts } from ${JSON.stringify(script)}; forbidStarts(${JSON.stringify(file)}); process.stdout.write("held"); setInterval(() => {}, 1000);`], { stdio: ["ignore", "pipe", "inherit"] });
	await new Promise((resolve) => run.stdout.once("data", resolve));
	assert.equal(answer(), 101);
	assert.equal(dropStalePolicy(file), false, "its run is alive");
	run.kill("SIGKILL");
	await new Promise((resolve) => run.once("close", resolve));
	assert.equal(answer(), 104, "what the machine's own says");
	assert.equal(dropStalePolicy(file), true);
	assert.deepEqual(found(), { "policy-rc.d": THEIRS });
	assert.equal(dropStalePolicy(file), false);
});

test("a stale policy allows where the machine has none, and one of old is stale", () => {
	put(policyText(99_999_999, saved), undefined);
	assert.equal(answer(), 0);
	assert.equal(dropStalePolicy(file), true);
	put(OLD, undefined);
	assert.equal(dropStalePolicy(file), true);
	assert.deepEqual(found(), {});
});

test("a foreign policy is never taken for stale, and one that came meanwhile stays", () => {
	put(THEIRS, undefined);
	assert.equal(dropStalePolicy(file, () => false), false);
	const restore = forbidStarts(file);
	writeFileSync(file, OTHERS);
	restore();
	assert.equal(readFileSync(file, "utf8"), OTHERS);
});

test("a link is put aside as a link, and what it points to is not written to", () => {
	const target = join(folder, "target");
	symlinkSync(target, file);
	const restore = forbidStarts(file);
	assert.equal(existsSync(target), false);
	restore();
	writeFileSync(target, THEIRS);
	assert.equal(readFileSync(file, "utf8"), THEIRS);
});

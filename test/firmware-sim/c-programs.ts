import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];
/** The sanitizers end the program with this, so that a fault is not mistaken for an answer. */
const SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const PATIENCE_MS = 60_000;

/** A folder for programs that goes with the test. */
export interface Workshop {
	readonly folder: string;
	/** Compile a source of this repository, by its path, as C99. @throws {Error} with what the compiler says. */
	build(source: string, ...more: readonly string[]): string;
	clear(): void;
}

/** @throws {Error} when there is no gcc (Debian packages `gcc` and `libc6-dev`). */
export function openWorkshop(): Workshop {
	const folder = mkdtempSync(join(tmpdir(), "jidway-c-"));
	// Some machines have a compiler without the sanitizers' libraries.
	const sanitizers = compile("gcc", ["-x", "c", "-std=c99", ...SANITIZERS, "-o", join(folder, "try"), "-"], "int main(void) { return 0; }") === "" ? SANITIZERS : [];
	return {
		folder,
		build(source, ...more) {
			const program = join(folder, `${source.replaceAll(/[^a-z0-9]/gi, "-")}-${more.join("").replaceAll(/[^a-z0-9]/gi, "")}`);
			const said = compile("gcc", ["-std=c99", "-O1", ...WARNINGS, ...sanitizers, "-I", join(ROOT, "firmware-sim"), ...more, "-o", program, join(ROOT, source)]);
			if (said !== "") throw new Error(`Cannot compile "${source}": ${said}`);
			return program;
		},
		clear: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** What the compiler says; nothing when it is content. */
export function compile(compiler: "gcc" | "g++", words: readonly string[], source = ""): string {
	const { status, stderr, error } = spawnSync(compiler, words, { input: source, cwd: ROOT, encoding: "utf8", timeout: PATIENCE_MS });
	if (error) throw new Error(`Cannot run ${compiler}: ${error.message}; install it with "sudo apt-get install gcc g++ libc6-dev"`);
	return status === 0 ? stderr : stderr || `exit code ${status}`;
}

/** Run to the end with this on stdin. @throws {Error} when it does not end with 0. */
export function run(program: string, input: string | Uint8Array, ...words: readonly string[]): string {
	const { status, signal, stdout, stderr } = spawnSync(program, words, { input, encoding: "utf8", timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 });
	if (status !== 0) throw new Error(`Cannot run "${program}": it ended with ${status ?? signal}: ${stderr.slice(0, 2_000)}`);
	return stdout;
}

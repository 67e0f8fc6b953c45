// Compiles test files and all that they import to plain JavaScript, once for a whole run: each test file is a process of its own, and
// would else spend more time on starting tsx than on its tests. One file alone still runs by `node --import tsx --test FILE`.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./setup.mjs";

/** Below node_modules, so that packages are found as from the sources; each run has a folder of its own, with its process id. */
const cache = join(root, "node_modules", ".cache");
const prefix = "jidway-test-";

/**
 * Compiles test files.
 * @param {string[]} files absolute
 * @returns {Promise<{ sources: Map<string, string>, remove: () => void }>} `sources`: the compiled file → the test file, both absolute, in the order of `files`
 * @throws what esbuild throws for a file that it cannot read; it has printed the place then
 */
export async function compileTests(files) {
	removeOld();
	mkdirSync(cache, { recursive: true });
	const folder = mkdtempSync(join(cache, `${prefix}${process.pid}-`));
	const remove = () => rmSync(folder, { recursive: true, force: true });
	try {
		// The esbuild that tsx itself compiles with.
		const { build } = createRequire(createRequire(import.meta.url).resolve("tsx/package.json"))("esbuild");
		await build({
			entryPoints: files,
			outdir: folder,
			outbase: root,
			outExtension: { ".js": ".mjs" },
			bundle: true,
			splitting: true, // what several tests import is compiled once
			packages: "external",
			format: "esm",
			platform: "node",
			target: `node${process.versions.node}`,
			keepNames: true,
			sourcemap: "linked",
			sourcesContent: false,
			logLevel: "error",
			absWorkingDir: root,
			plugins: [{ name: "keep import.meta.url", setup: (build) => build.onLoad({ filter: /\.(ts|mjs|js)$/ }, keepUrl) }],
		});
	} catch (error) {
		remove();
		throw error;
	}
	return { sources: new Map(files.map((file) => [join(folder, `${relative(root, file).slice(0, -extname(file).length)}.mjs`), file])), remove };
}

/** A file of ours finds its neighbours from where its source is, and not from where it was compiled to. */
function keepUrl({ path }) {
	if (!path.startsWith(root + sep) || path.includes(`${sep}node_modules${sep}`)) return undefined;
	return { contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)), loader: path.endsWith(".ts") ? "ts" : "js" };
}

/** A run that was killed has left its folder behind. */
function removeOld() {
	for (const name of existsSync(cache) ? readdirSync(cache) : []) {
		const pid = Number(/^jidway-test-(\d+)-/.exec(name)?.[1]);
		if (pid > 0 && !isAlive(pid)) rmSync(join(cache, name), { recursive: true, force: true });
	}
}

function isAlive(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === "EPERM";
	}
}

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Who may import whom, by the first folder under src/. A room may always import itself. Files directly in src/ are the roof: they may import all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
	core: [],
	config: ["core"],
	store: ["core"],
	south: ["core"],
	xmpp: [],
	north: ["core", "xmpp"],
	web: ["core"],
	cli: ["config", "core", "web", ""], // the doors of the process: they open the roof
};

/** The files that may import a package: one each, unless said otherwise. */
const IMPORTERS: Readonly<Record<string, number>> = { zod: 5, yaml: 2, "@serialport/bindings-interface": 0 };

/** Files that may know `process`: the process itself and its log. */
const KNOWS_PROCESS = /^(main\.ts|log\.ts|cli\/|web\/control-socket\.ts$)/;

const FILES = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));

function importsOf(file: string): string[] {
	return [...readFileSync(file, "utf8").matchAll(/^(?:import|export)\s+(?:[^"`;=]*?\sfrom\s+)?"([^"\n]+)";|\bimport\("([^"]+)"\)/gm)].map((match) => match[1] ?? match[2]!);
}

function targetOf(file: string, path: string): string {
	return relative(join(ROOT, "src"), join(dirname(file), path)).replace(/\.js$/, ".ts");
}

function roomOf(file: string): string {
	return file.includes("/") ? file.split("/")[0]! : "";
}

test("every room under src/ is named in the import rules", () => {
	const rooms = new Set(FILES.map(roomOf).filter((room) => room !== ""));
	assert.deepEqual([...rooms].filter((room) => !(room in MAY_IMPORT)), []);
});

for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
	test(`src/${room} imports only ${[room, ...allowed].map((each) => each || "the roof").join(", ")}`, () => {
		for (const name of FILES.filter((file) => roomOf(file) === room)) {
			const file = join(ROOT, "src", name);
			for (const path of importsOf(file).filter((each) => each.startsWith("."))) {
				const target = roomOf(targetOf(file, path));
				assert.ok(target === room || allowed.includes(target), `src/${name} must not import ${path}`);
			}
		}
	});
}

test("core imports nothing at all, not even node:", () => {
	for (const name of FILES.filter((file) => roomOf(file) === "core")) assert.deepEqual(importsOf(join(ROOT, "src", name)).filter((path) => !path.startsWith(".")), [], name);
});

test("there is no circle of imports", () => {
	const graph = new Map(FILES.map((name) => [name, importsOf(join(ROOT, "src", name)).filter((path) => path.startsWith(".")).map((path) => targetOf(join(ROOT, "src", name), path))]));
	const done = new Set<string>();
	const visit = (name: string, trail: readonly string[]): void => {
		if (done.has(name)) return;
		assert.ok(!trail.includes(name), `a circle: ${[...trail.slice(trail.indexOf(name)), name].join(" → ")}`);
		for (const next of graph.get(name) ?? []) visit(next, [...trail, name]);
		done.add(name);
	};
	for (const name of graph.keys()) visit(name, []);
});

test("each package has one importer, so that it can be replaced in one place", () => {
	const importers = new Map<string, string[]>();
	for (const name of FILES) {
		for (const path of importsOf(join(ROOT, "src", name)).filter((each) => !each.startsWith(".") && !each.startsWith("node:"))) {
			importers.set(path, [...(importers.get(path) ?? []), name]);
		}
	}
	for (const [path, names] of importers) assert.ok(names.length <= (IMPORTERS[path] ?? 1), `${path} is imported by ${names.join(", ")}`);
});

test("only the process knows process, and nothing below it reads the clock or chance of the machine", () => {
	for (const name of FILES) {
		const code = readFileSync(join(ROOT, "src", name), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
		assert.ok(KNOWS_PROCESS.test(name) || !/\bprocess\.[a-z]/.test(code), `${name} knows process`);
		assert.ok(/^(system-clock\.ts|cli\/)/.test(name) || !/(?<![.\w])(Date\.now|setTimeout|setInterval|Math\.random)\b/.test(code), `${name} reads the clock or chance of the machine`);
	}
});

test("firmware-sim imports nothing of src/: a codec must not vouch for itself", () => {
	const folder = join(ROOT, "firmware-sim");
	for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".ts"))) {
		for (const path of importsOf(join(folder, name))) assert.doesNotMatch(path, /(^|\/)src\//, name);
	}
});

test("no file is a barrel, and a long one says why at its head", () => {
	for (const name of FILES) {
		const lines = readFileSync(join(ROOT, "src", name), "utf8").split("\n");
		const code = lines.filter((line) => line.trim() !== "" && !/^\s*(\/\/|\/?\*)/.test(line));
		assert.ok(!code.every((line) => /^export .* from /.test(line)), `${name} only passes on what others export`);
		assert.ok(lines.length <= 300 || /300 lines/.test(lines.slice(0, 12).join("\n")), `${name} has ${lines.length} lines: say why at its head`);
	}
});

import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseTranscript, playTranscript } from "./transcript.js";

const FOLDER = new URL("transcripts/", import.meta.url);

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".transcript")).sort()) {
	const transcript = parseTranscript(readFileSync(new URL(file, FOLDER), "utf8"));
	test(`${file}: ${transcript.title}`, () => playTranscript(transcript));
}

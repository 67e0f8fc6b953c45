// A disk of its own for one folder, that can be filled to the last byte.

import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeFolder, removeFolder, runCommand } from "../servers/processes.js";

export interface SmallDisk {
	/** A folder on it that does not exist yet. */
	readonly folder: string;
	fill(): void;
	free(): void;
	/** Takes it away, whoever still uses it. */
	remove(): void;
}

/** Why there can be none here; false if there can. */
export const noSmallDisk: string | false = process.getuid?.() === 0 ? false : "needs root, to mount a small disk";

export function mountSmallDisk(megabytes: number): SmallDisk {
	const around = makeFolder("disk");
	const disk = join(around, "disk");
	const filler = join(disk, "filler");
	runCommand("mkdir", [disk]);
	runCommand("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", disk]);
	return {
		folder: join(disk, "data"),
		fill: () => {
			const handle = openSync(filler, "a");
			try {
				// Large pieces first, then what is left of the last page.
				for (const size of [1024 * 1024, 4_096, 1]) fillWith(handle, Buffer.alloc(size));
			} finally {
				closeSync(handle);
			}
		},
		free: () => rmSync(filler, { force: true }),
		remove: () => {
			if (existsSync(disk)) runCommand("umount", ["-l", disk]);
			removeFolder(around);
		},
	};
}

/** Writes until there is no room for one more of these. */
function fillWith(handle: number, bytes: Buffer): void {
	try {
		while (writeSync(handle, bytes) === bytes.length);
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
	}
}

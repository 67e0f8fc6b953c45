import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { access, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../firmware-sim/clock.js";
import { ModbusBus } from "../../firmware-sim/modbus-slave.js";
import { openPty } from "../../firmware-sim/pty.js";
import { ThProbe } from "../../firmware-sim/th-probe.js";
import { Wire, attach, plugIn } from "../../firmware-sim/wire.js";
import { bytes, hex } from "./bytes.js";

const hasSocat = spawnSync("socat", ["-V"]).status === 0;

test("a bus on a pty answers whoever opens it, again after the port was closed, and is gone after close()", { skip: !hasSocat && "socat is not installed" }, async () => {
	const folder = await mkdtemp(join(tmpdir(), "jidway-pty-"));
	const pty = await openPty(join(folder, "bus"));
	try {
		const wire = new Wire({ clock: systemClock });
		plugIn(new ModbusBus({ clock: systemClock, units: [new ThProbe({ temperature: 30.5 })] }), wire);
		attach(wire, pty.stream);
		for (let round = 0; round < 2; round++) {
			const port = await open(pty.path, "r+");
			await port.write(bytes("01 04 00 01 00 01 60 0A"));
			const answer = Buffer.alloc(7);
			for (let at = 0; at < answer.length; ) at += (await port.read(answer, at, answer.length - at)).bytesRead;
			assert.equal(hex(answer), "01 04 02 01 31 79 74");
			await port.close();
		}
	} finally {
		await pty.close();
		await assert.rejects(access(pty.path));
		await rm(folder, { recursive: true });
	}
});

test("openPty() refuses a path that socat would take for more than a path", async () => {
	await assert.rejects(openPty("/tmp/a,exec=b"), /^Error: Cannot make a pty at "\/tmp\/a,exec=b": found characters/);
});

test("openPty() says so when it cannot make the pty", { skip: !hasSocat && "socat is not installed" }, async () => {
	await assert.rejects(openPty("/nonexistent-folder/bus"), /^Error: Cannot make a pty at "\/nonexistent-folder\/bus": socat ended with 1$/);
});

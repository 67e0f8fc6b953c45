// /usr/sbin/policy-rc.d, by which Debian's packages ask whether they may start a service: ours, which says no, for a while, and the machine's own.
// Answers: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt (101: forbidden, 0: allowed)

import { chmodSync, lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

export const policy = "/usr/sbin/policy-rc.d";

const mark = "# Written by Jidway's setup";

/**
 * Which of the two files is the machine's own: the one that stands there, or the one that a run of ours put aside. Both as texts; nothing for one that is not there.
 * @returns {"standing" | "saved" | "none"} what somebody put there later counts, and what we wrote never does
 */
export function machinesOwn(standing, saved) {
	if (standing !== undefined && !isOurs(standing)) return "standing";
	return saved !== undefined && !isOurs(saved) ? "saved" : "none";
}

/** Whether the text is a policy that a run of ours wrote. */
export function isOurs(text) {
	return text.includes(mark);
}

/** The process that wrote a policy of ours. */
export function writerOf(text) {
	const pid = Number(new RegExp(`^${mark} \\(process (\\d+)\\)`, "m").exec(text)?.[1]);
	return Number.isInteger(pid) ? pid : undefined;
}

/** A policy that forbids as long as its writer lives, and then is as good as not there: power may fail before it is removed. */
export function policyText(pid, saved) {
	return `#!/bin/sh
${mark} (process ${pid}) while it installs packages; removed afterwards. Without that process it may be deleted.
[ -d /proc/${pid} ] && exit 101
[ -x '${saved}' ] && exec '${saved}' "$@"
exit 0
`;
}

/** Put our policy in place of the machine's own. @returns {() => void} puts that back; may be called twice */
export function forbidStarts(file = policy, pid = process.pid) {
	const saved = savedAs(file);
	const own = machinesOwn(textAt(file), textAt(saved));
	if (own === "standing") renameSync(file, saved);
	else {
		rmSync(file, { force: true });
		if (own === "none") rmSync(saved, { force: true });
	}
	try {
		writeFileSync(file, policyText(pid, saved), { flag: "wx" });
		chmodSync(file, 0o755); // whatever the umask
	} catch (error) {
		putBack(file);
		throw error;
	}
	return () => putBack(file);
}

/**
 * Take away a policy of ours whose run was killed.
 * @param {(pid: number) => boolean} isAlive
 * @returns {boolean} whether there was one
 */
export function dropStalePolicy(file = policy, isAlive = isRunning) {
	const text = textAt(file);
	if (text === undefined || !isOurs(text)) return false;
	const writer = writerOf(text);
	if (writer !== undefined && isAlive(writer)) return false;
	putBack(file);
	return true;
}

function putBack(file) {
	const text = textAt(file);
	// What another put there meanwhile stays.
	if (text !== undefined && !isOurs(text)) return;
	const saved = savedAs(file);
	const own = machinesOwn(text, textAt(saved));
	rmSync(file, { force: true });
	if (own === "saved") renameSync(saved, file);
	else rmSync(saved, { force: true });
}

function savedAs(file) {
	return `${file}.jidway-saved`;
}

/** The text; nothing when there is no file. One that cannot be read, such as a link to nothing, is somebody's. */
function textAt(file) {
	if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
	try {
		return readFileSync(file, "utf8");
	} catch {
		return "";
	}
}

function isRunning(pid) {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return error.code === "EPERM";
	}
}

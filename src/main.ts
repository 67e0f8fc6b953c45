// The process: arguments, signals, exit code. Signals are listened to before anything else is loaded: that takes a while on a small machine.

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
	process.on(signal, () => {
		if (stop.signal.aborted) process.exit(1); // asked twice: whoever asks does not want to wait
		stop.abort(signal);
	});
}
/** SIGHUP: read the config again. Where the terminal that we run in is closed, it means the end, as for every program. */
let hangup: (() => void) | undefined;
let isHangupAsked = false;
if (process.argv[2] === "run") {
	process.on("SIGHUP", () => {
		if (process.stdin.isTTY) stop.abort("SIGHUP");
		else if (hangup) hangup();
		else isHangupAsked = true;
	});
}
const onHangup = (run: () => void): void => {
	hangup = run;
	if (isHangupAsked) run();
};

// Whoever reads the output of a command may stop reading: `jidway devices | head`. The gateway goes on without its log.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
	if (process.argv[2] !== "run") process.exit(error.code === "EPIPE" ? 0 : 1);
});

try {
	const { runProgram } = await import("./cli/program.js");
	process.exit(await runProgram(process.argv.slice(2), { stop: stop.signal, onHangup }));
} catch (error) {
	console.error(error instanceof Error ? error.stack : String(error));
	process.exit(1);
}

export {};

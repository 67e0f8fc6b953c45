// sd_notify(3): tells systemd that the gateway is ready, alive, loading another config or stopping.
// Node has no unix datagram socket: systemd-notify(1), which every systemd brings, sends for us (NotifyAccess=all in the unit).
// Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
import { spawn } from "node:child_process";
import type { Log } from "../core/log.js";

/** A notification is sent at once; a service manager that does not take it must hold up nothing. */
const SEND_WITHIN_MS = 5_000;
/** Pings per watchdog interval: sd_watchdog_enabled(3) advises two; with three a slow machine may miss one. */
const PINGS = 3;

export interface ServiceManager {
	/** Everything has been started; `text` is what `systemctl status` shows. From now on the watchdog is fed while the event loop turns. */
	ready(text: string): void;
	/** Another config is being read; `ready()` follows. */
	reloading(): void;
	/** The end has begun. Resolves when that was sent. */
	stopping(): Promise<void>;
}

/** The service manager that has started us; without one all of it does nothing. @param env The environment of the process. */
export function serviceManager(env: Readonly<Record<string, string | undefined>>, log: Log): ServiceManager {
	if (!env["NOTIFY_SOCKET"]) return { ready: () => undefined, reloading: () => undefined, stopping: async () => undefined };
	const watchdog = Number(env["WATCHDOG_USEC"]) / 1_000;
	let feeding: NodeJS.Timeout | undefined;
	let isTold = false;

	/** One after the other: each is a process of its own, and two at once may come in the wrong order. */
	let sent: Promise<void> = Promise.resolve();
	const send = (...states: readonly string[]): Promise<void> => (sent = sent.then(() => notify(...states)));

	function notify(...states: readonly string[]): Promise<void> {
		return new Promise((resolve) => {
			const child = spawn("systemd-notify", states, { stdio: "ignore", timeout: SEND_WITHIN_MS });
			child.once("error", (error) => {
				if (!isTold) log.warn({ reason: error.message }, "Cannot notify systemd: systemd-notify is missing; set Type=exec and no WatchdogSec= in the unit");
				isTold = true;
				resolve();
			});
			child.once("close", () => resolve());
		});
	}

	return {
		ready(text) {
			void send("--ready", `--status=${text}`);
			if (!(watchdog > 0) || feeding) return;
			feeding = setInterval(() => void send("WATCHDOG=1"), watchdog / PINGS);
			feeding.unref();
		},
		reloading: () => void send("RELOADING=1", "--status=reading the config"),
		stopping() {
			clearInterval(feeding);
			return send("STOPPING=1", "--status=stopping");
		},
	};
}

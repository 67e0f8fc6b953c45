import { ask } from "./ask.js";

/** `jidway set DEVICE POINT VALUE`: done when the device confirms it. */
export async function set(configFile: string, device: string, point: string, value: string, json: boolean): Promise<void> {
	const done = (await ask(configFile, { ask: "set", device, point, value })) as { outcome: string; point: string; value?: string; unit?: string };
	if (json) return console.log(JSON.stringify(done));
	console.log(done.outcome === "sent" ? `sent; this device does not report "${done.point}"` : `${done.point} is ${done.value}${done.unit === undefined ? "" : ` ${done.unit}`}, confirmed by the device`);
}

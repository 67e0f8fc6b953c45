// What somebody at this machine means by a name: he may know of everything, so he is told what there is.
import { GatewayError } from "./core/errors.js";
import { nearest } from "./core/nearest.js";
import { findPoint, type Point } from "./core/point.js";
import type { Registry } from "./core/registry.js";
import type { Twin } from "./core/twin.js";

/** By id, else by name when that is one device only. @throws {GatewayError} `unknown-device`. */
export function deviceNamed(registry: Registry, device: string): Twin {
	const found = registry.find(device);
	if (found) return found;
	const byName = [...registry.all()].filter((twin) => twin.device.name.toLowerCase() === device.toLowerCase());
	if (byName.length === 1) return byName[0]!;
	throw new GatewayError("unknown-device", `Cannot find device "${device}": "jidway devices" lists them`);
}

/** The point as the device names it. @throws {GatewayError} `unknown-point`, with what there is. */
export function pointNamed({ device }: Twin, typed: string): readonly [name: string, point: Point] {
	const found = findPoint(device.points, typed);
	if (found) return found;
	const names = Object.keys(device.points);
	const near = nearest(typed, names);
	throw new GatewayError("unknown-point", `Cannot find "${typed}": ${near === undefined ? `${device.name} has ${names.join(", ") || "no points"}` : `did you mean "${near}"?`}`);
}

// The gateway as the command line sees it: one more door to the one path, opened by the socket in the data folder.
import { matches } from "./core/access.js";
import { inWords } from "./core/availability.js";
import type { Clock } from "./core/clock.js";
import { LOCAL } from "./core/command.js";
import { isReadable, type Point } from "./core/point.js";
import { parseValue } from "./core/parse-value.js";
import type { Reading } from "./core/reading.js";
import { troubles } from "./core/status.js";
import type { Twin } from "./core/twin.js";
import { textOf } from "./core/value.js";
import type { Gateway } from "./gateway.js";
import { deviceNamed, pointNamed } from "./local-names.js";
import { exportOf, type Past, pastOf } from "./past.js";
import type { ControlRequest } from "./web/control-socket.js";

/** A device as `jidway devices` shows it. */
export interface DeviceRow {
	readonly id: string;
	readonly jid: string;
	readonly name: string;
	readonly link: string;
	readonly address: string;
	readonly model?: string;
	readonly availability: string;
	readonly reason?: string;
	readonly points: number;
}

/** A point as `jidway read` shows it. `value` keeps the device's digits; times are ISO 8601. */
export interface PointRow {
	readonly point: string;
	readonly value: string | null;
	readonly unit?: string;
	readonly time?: string;
	readonly received?: string;
	/** For people: `12 s`, `unknown`. */
	readonly age?: string;
}

/** Answer one request of the command line; what may be long is a stream of items. @throws {GatewayError} */
export async function answerLocal(gateway: Gateway, past: Past, jidOf: (id: string) => string, clock: Clock, request: Exclude<ControlRequest, { readonly ask: "diff" }>): Promise<unknown> {
	switch (request.ask) {
		case "status": {
			const status = gateway.status();
			return { ...status, troubles: troubles(status) };
		}
		case "devices": return [...gateway.registry.all()]
			.filter(({ device }) => request.pattern === undefined || matches(request.pattern, device.id) || matches(request.pattern, device.name))
			.map((twin) => deviceRow(twin, jidOf)).sort((a, b) => a.id.localeCompare(b.id));
		case "read": {
			const twin = deviceNamed(gateway.registry, request.device);
			const names = request.point === undefined ? Object.keys(twin.device.points).filter((name) => isReadable(twin.device.points[name]!)) : [twin.readable(pointNamed(twin, request.point)[0])[0]];
			return names.map((name) => pointRow(name, twin.device.points[name]!, twin.readings.get(name), clock.now()));
		}
		case "set": {
			const twin = deviceNamed(gateway.registry, request.device);
			const [point, placed] = pointNamed(twin, request.point);
			const outcome = await gateway.execute({ device: twin.device.id, point, value: parseValue(point, placed, request.value), by: LOCAL });
			return outcome.kind === "sent" ? { outcome: "sent", point } : { outcome: "confirmed", point, value: textOf(outcome.reading.value), ...(placed.kind === "numeric" && placed.unit && { unit: placed.unit }) };
		}
		case "history": return pastOf(past, gateway.registry, request);
		case "export": return exportOf(past, gateway.registry, jidOf, request);
		case "backup":
			await past.backup(request.file);
			return { file: request.file };
	}
}

function deviceRow(twin: Twin, jidOf: (id: string) => string): DeviceRow {
	const { device, availability, reason } = twin;
	return {
		id: device.id, jid: jidOf(device.id), name: device.name, link: device.link, address: device.source.address, availability, points: Object.keys(device.points).length,
		...(device.model !== undefined && { model: device.model }), ...(reason !== undefined && { reason }),
	};
}

function pointRow(name: string, point: Point, reading: Reading | undefined, now: number): PointRow {
	const unit = point.kind === "numeric" ? point.unit : undefined;
	if (!reading) return { point: name, value: null, ...(unit !== undefined && { unit }) };
	return {
		point: name, value: textOf(reading.value), ...(unit !== undefined && { unit }),
		time: new Date(reading.at).toISOString(), received: new Date(reading.received).toISOString(),
		age: reading.ageUnknown ? "unknown" : inWords(now - reading.at),
	};
}

// What is exported, as text. Each writer gets items one at a time and keeps none.
import { csvLine } from "./csv.js";
import type { ExportWriter, PastRow } from "./past.js";
import { senmlWriter } from "./export-senml.js";

export const EXPORT_FORMATS = ["csv", "json", "senml"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export function exportWriter(format: ExportFormat): ExportWriter {
	switch (format) {
		case "csv": return perDevice(csvLine(["device", "point", "time", "received", "value", "unit", "quality", "age_unknown"]), (device, { point, at, received, value, unit = "", quality, ageUnknown }) =>
			csvLine([device, point, iso(at), iso(received), value, unit, quality, ageUnknown ? "true" : ""]));
		case "json": return perDevice("", (device, { point, at, received, value, kind, unit, quality, ageUnknown }) =>
			`${JSON.stringify({ device, point, time: iso(at), received: iso(received), value, kind, unit: unit ?? null, quality, ...(ageUnknown && { age_unknown: true }) })}\n`);
		case "senml": return senmlWriter();
	}
}

function perDevice(begin: string, line: (device: string, row: PastRow) => string): ExportWriter {
	let device = "";
	return {
		begin, end: "",
		item(item) {
			if (!("device" in item)) return line(device, item);
			device = item.device;
			return "";
		},
	};
}

/** ISO 8601 with `Z`; the number itself where no calendar has it. */
export function iso(at: number): string {
	const date = new Date(at);
	return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

// Prometheus text exposition
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
// Version: 0.0.4
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { CountedFault } from "../core/fault-counter.js";
import type { GatewayCounters, GatewayStatus, LinkCounters } from "../core/status.js";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What only the process itself knows. */
export interface ProcessFigures {
	readonly rssBytes: number;
	/** User and system together. */
	readonly cpuSeconds: number;
	readonly loopDelayP99Seconds: number;
}

export interface MetricsOptions {
	/** Of the gateway's software. */
	readonly version: string;
	readonly process: () => ProcessFigures;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];
interface Family {
	readonly name: string;
	readonly type: "counter" | "gauge";
	readonly help: string;
	readonly samples: readonly Sample[];
}

/** Kinds of fault with a label of their own; what comes later is "other". Each is kept by Prometheus for as long as it keeps anything. */
export const MAX_FAULT_LABELS = 100;
const MAX_REASON = 120;
/** Shown from the start, so that their first occurrence is an increase. */
const OUTCOMES = ["confirmed", "sent", "device-offline", "device-refused", "device-differs", "device-timeout"] as const;

/**
 * Make the page of metrics of one gateway. It remembers which faults it has told, since a counter must never fall.
 *
 * No label has a value that somebody outside can choose at will: links are those of the config, availabilities and outcomes are
 * closed lists, reasons of faults lose what stands in quotation marks, and are no more than a hundred.
 */
export function metricsPage({ version, process }: MetricsOptions): (status: GatewayStatus) => string {
	const faults = new FaultTotals();
	return (status) => textOf([
		gauge("jidway_build_info", "The version of the software; always 1.", 1, { version }),
		gauge("jidway_start_time_seconds", "When the gateway was started, in seconds since 1970.", status.started / 1_000),
		gauge("jidway_uplink_up", "Is the XMPP server connected (1) or not (0).", Number(status.uplink.up)),
		gauge("jidway_uplink_changed_timestamp_seconds", "Since when it is so, in seconds since 1970.", status.uplink.since / 1_000),
		{ name: "jidway_link_up", type: "gauge", help: "Is the link up (1) or not (0).", samples: status.links.map(({ id, up }) => [{ link: id }, Number(up)]) },
		...serialFamilies(status),
		gauge("jidway_devices", "Devices that are known.", status.devices),
		counter("jidway_faults_total", "What came in and could not be used, by link and reason.", faults.take(status.faults, new Set(status.links.map(({ id }) => id)))),
		gauge("jidway_store_up", "Can the database be written (1) or not (0).", Number(status.store === undefined)),
		...counterFamilies(status.counters ?? {}),
		...processFamilies(process()),
	]);
}

/**
 * Watch how late this thread is with what is due.
 *
 * `p99()` gives the 99th percentile since it was asked last, in seconds.
 */
export function watchLoopDelay(): { p99(): number; stop(): void } {
	const resolution = 10; // ms between two looks, which the histogram counts as a part of each
	const histogram = monitorEventLoopDelay({ resolution });
	histogram.enable();
	return {
		p99() {
			const late = Math.max(0, histogram.percentile(99) / 1e6 - resolution) / 1_000;
			histogram.reset();
			return late;
		},
		stop: () => void histogram.disable(),
	};
}

function gauge(name: string, help: string, value: number | undefined, labels: Labels = {}): Family {
	return { name, type: "gauge", help, samples: value === undefined ? [] : [[labels, value]] };
}

function counter(name: string, help: string, value: number | undefined | readonly Sample[]): Family {
	return { name, type: "counter", help, samples: value === undefined ? [] : typeof value === "number" ? [[{}, value]] : value };
}

function serialFamilies({ links }: GatewayStatus): Family[] {
	const of = (name: string, help: string, value: (counters: LinkCounters) => number): Family =>
		counter(`jidway_serial_${name}_total`, help, links.flatMap(({ id, counters }): Sample[] => (counters ? [[{ link: id }, value(counters)]] : [])));
	return [
		of("received_bytes", "Bytes that came over the serial line.", ({ bytes }) => bytes),
		of("frames", "Whole messages among them.", ({ frames }) => frames),
		of("resyncs", "How often the beginning of a message had to be searched anew.", ({ resyncs }) => resyncs),
		of("checksum_errors", "Messages whose checksum was wrong.", ({ checksumErrors }) => checksumErrors),
		of("noise_bytes", "Bytes that were part of no message.", ({ noise }) => noise),
	];
}

function counterFamilies({ availability, readings, commands, store, outbox, stanzas }: GatewayCounters): Family[] {
	const outcomes = commands && { ...Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])), ...commands };
	return [
		{ name: "jidway_devices_by_availability", type: "gauge", help: "Devices by what is known of their presence.", samples: Object.entries(availability ?? {}).map(([word, count]) => [{ availability: word }, count]) },
		counter("jidway_readings_received_total", "Readings that came from devices.", readings?.received),
		counter("jidway_readings_told_total", "Readings that the report policy let out.", readings?.told),
		counter("jidway_commands_total", "Commands that have ended, by how.", Object.entries(outcomes ?? {}).map(([outcome, count]): Sample => [{ outcome }, count ?? 0])),
		counter("jidway_stanzas_sent_total", "Stanzas sent to the XMPP server.", stanzas?.sent),
		counter("jidway_stanzas_received_total", "Stanzas received from it.", stanzas?.received),
		counter("jidway_store_readings_written_total", "Readings written to the journal.", store?.written),
		counter("jidway_store_transactions_total", "Transactions of the database.", store?.transactions),
		counter("jidway_store_readings_lost_total", "Readings lost for want of room while the disk took none.", store?.lost),
		counter("jidway_store_readings_pruned_total", "Readings taken away because they were too old or too many.", store?.pruned),
		counter("jidway_store_wal_written_bytes_total", "Bytes written to the log of the database.", store?.walBytes),
		gauge("jidway_store_readings_waiting", "Readings in memory that are to be written.", store?.waiting),
		gauge("jidway_store_file_bytes", "Size of the database.", store?.fileBytes),
		gauge("jidway_store_last_commit_seconds", "How long the last transaction took.", store?.lastCommit === undefined ? undefined : store.lastCommit / 1_000),
		gauge("jidway_store_oldest_reading_timestamp_seconds", "Time of the oldest reading in the journal, in seconds since 1970.", store?.oldest === undefined ? undefined : store.oldest / 1_000),
		gauge("jidway_outbox_letters", "Letters that wait until their receivers have acknowledged them.", store?.letters),
		gauge("jidway_outbox_oldest_letter_timestamp_seconds", "When the oldest of them happened, in seconds since 1970.", outbox?.oldest === undefined ? undefined : outbox.oldest / 1_000),
		gauge("jidway_outbox_stanzas_under_way", "Stanzas with letters that are sent and not yet acknowledged.", outbox?.underWay),
		counter("jidway_outbox_letters_delivered_total", "Letters that have arrived.", outbox?.delivered),
		counter("jidway_outbox_stanzas_repeated_total", "Stanzas with letters that were sent again.", outbox?.repeated),
		counter("jidway_outbox_letters_given_up_total", "Letters that nobody will take.", outbox?.givenUp),
		counter("jidway_outbox_letters_lost_total", "Letters that made room for newer ones.", store?.lettersLost),
		counter("jidway_outbox_letters_expired_total", "Letters that waited too long.", store?.lettersExpired),
	];
}

function processFamilies({ rssBytes, cpuSeconds, loopDelayP99Seconds }: ProcessFigures): Family[] {
	return [
		gauge("process_resident_memory_bytes", "Memory of the process.", rssBytes),
		counter("process_cpu_seconds_total", "Processor time that it has used.", cpuSeconds),
		gauge("jidway_event_loop_delay_p99_seconds", "How late the main thread was, 99th percentile since this page was asked for last.", loopDelayP99Seconds),
	];
}

/** Faults by link and reason, summed up from lists that forget the oldest. */
class FaultTotals {
	readonly #totals = new Map<string, { readonly labels: Labels; count: number }>();
	#seen = new Map<string, number>();

	take(faults: readonly CountedFault[], links: ReadonlySet<string>): Sample[] {
		const seen = new Map<string, number>();
		for (const { where, reason, count } of faults) {
			const key = `${where}\n${reason}`;
			const before = this.#seen.get(key) ?? 0;
			seen.set(key, count);
			const more = count >= before ? count - before : count; // it was forgotten, and came again
			if (more > 0) this.#total(where, reason, links).count += more;
		}
		this.#seen = seen;
		return [...this.#totals.values()].map(({ labels, count }) => [labels, count]);
	}

	#total(where: string, reason: string, links: ReadonlySet<string>): { count: number } {
		const link = where.split(":", 1)[0] ?? "";
		const known = links.has(link) ? link : "";
		const exact = { link: known, reason: constantOf(reason) };
		const found = this.#totals.get(JSON.stringify(exact));
		if (found) return found;
		const labels = this.#totals.size < MAX_FAULT_LABELS ? exact : { link: "", reason: "other" };
		const key = JSON.stringify(labels);
		const total = this.#totals.get(key) ?? { labels, count: 0 };
		this.#totals.set(key, total);
		return total;
	}
}

/** The part of a reason that is the same for all faults of its kind: no names and no numbers of the sender's. */
function constantOf(reason: string): string {
	return reason.slice(0, 2 * MAX_REASON).replace(/"[^"]*"?/g, "\"…\"").replace(/\d[\d.,]*/g, "…").slice(0, MAX_REASON);
}

/** A family without samples is left out: it would say that there is something to come. */
function textOf(families: readonly Family[]): string {
	return families.filter(({ samples }) => samples.length > 0).map(({ name, type, help, samples }) => [
		`# HELP ${name} ${help.replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`,
		`# TYPE ${name} ${type}`,
		...samples.map(([labels, value]) => `${name}${labelsOf(labels)} ${numberOf(value)}`),
		"",
	].join("\n")).join("");
}

function labelsOf(labels: Labels): string {
	const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
	return value.replace(/\p{Surrogate}/gu, "\ufffd").replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
}

function numberOf(value: number): string {
	if (Number.isFinite(value)) return String(value);
	return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

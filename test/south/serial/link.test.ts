import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/core/errors.js";
import type { LinkState, Outgoing, Packet } from "../../../src/south/link.js";
import { SerialLink, type SerialLinkOptions } from "../../../src/south/serial/link.js";
import type { OpenPort, PortOpener } from "../../../src/south/serial/port.js";
import { FakeClock, settle } from "../../fakes/clock.js";

class Bench {
	readonly clock = new FakeClock();
	readonly packets: Packet[] = [];
	readonly states: LinkState[] = [];
	readonly faults: string[] = [];
	readonly written: string[] = [];
	readonly end = new AbortController();
	readonly link: SerialLink;
	readonly over: Promise<void>;
	/** What a write answers with. */
	take: () => Promise<void> = async () => {};
	port: (OpenPort & { close(): Promise<void> }) | undefined;

	constructor(options: Partial<SerialLinkOptions> = {}) {
		const ports: PortOpener = {
			open: async () => (this.port = {
				onData: () => {},
				write: (bytes) => {
					this.written.push(Buffer.from(bytes).toString("latin1"));
					return this.take();
				},
				close: async () => {},
			}),
		};
		this.link = new SerialLink({ id: "usb0", path: "/dev/ttyUSB0", baud: 9_600, protocol: "lines", clock: this.clock, ports, ...options });
		this.over = this.link.run({ packet: (packet) => this.packets.push(packet), state: (state) => this.states.push(state), fault: (where, reason) => this.faults.push(`${where}: ${reason}`) }, this.end.signal);
	}

	hear(text: string): void {
		this.port?.onData(Buffer.from(text, "latin1"));
	}

	send(out: Outgoing): Promise<void> {
		return this.link.send(out, new AbortController().signal);
	}

	get lines(): string[] {
		return this.packets.map(({ body }) => (body.kind === "line" ? body.text : body.kind));
	}
}

const fault = (wished: string) => (error: unknown): boolean => error instanceof GatewayError && error.fault === wished;

test("SerialLink makes packets of lines, with the time of their receipt", async () => {
	const bench = new Bench();
	await bench.clock.advance(1_000);
	bench.hear("a=1\r\nb=");
	bench.hear("2\r\n\x80\x80\n");
	assert.deepEqual(bench.lines, ["a=1", "b=2"]);
	assert.equal(bench.packets[0]?.received, bench.clock.now());
	assert.deepEqual(bench.faults, ["usb0: a line that is no text; is the baud rate right?"]);
	bench.packets[0]?.taken();
	bench.end.abort();
	await bench.over;
});

test("SerialLink drops the tail of a line that was under way when the port opened, and nothing else", async () => {
	const bench = new Bench();
	await bench.clock.advance(5);
	bench.hear("2 temp=21.5\r\nco2=612\r\n");
	assert.deepEqual(bench.lines, ["co2=612"]);
	bench.end.abort();
	await bench.over;
});

test("SerialLink ends a line that it sends as the device wants it, and refuses what is no line", async () => {
	const bench = new Bench({ lineEnd: "\r\n" });
	await settle();
	await bench.send({ kind: "line", text: "INTERVAL 2" });
	assert.deepEqual(bench.written, ["INTERVAL 2\r\n"]);
	await assert.rejects(bench.send({ kind: "line", text: "INTERVAL 2\nREBOOT" }), fault("bad-value"));
	await assert.rejects(bench.send({ kind: "message", topic: "a", payload: "" }), fault("bad-value"));
	bench.end.abort();
	await bench.over;
	await assert.rejects(bench.send({ kind: "line", text: "x" }), fault("link-down"));
});

test("SerialLink waits five seconds for a port that takes no bytes, and lets 32 lines wait for it", async () => {
	const bench = new Bench();
	await settle();
	bench.take = () => new Promise(() => {});
	const waiting = Array.from({ length: 32 }, () => assert.rejects(bench.send({ kind: "line", text: "x" }), fault("link-down")));
	await assert.rejects(bench.send({ kind: "line", text: "x" }), fault("busy"));
	await bench.clock.advance(5_000);
	await Promise.all(waiting);
	bench.take = async () => {};
	await bench.send({ kind: "line", text: "y" });
	bench.end.abort();
	await bench.over;
});

test("SerialLink asks what the plan says on a Modbus line, with parity in the reckoning", async () => {
	const bench = new Bench({ protocol: "modbus-rtu", parity: "even", polls: [{ unit: 1, every: 1_000, reads: [{ request: { function: 4, unit: 1, first: 1, count: 2 } }] }] });
	await bench.clock.advance(20);
	assert.equal(Buffer.from(bench.written[0] ?? "", "latin1").toString("hex"), "010400010002200b");
	bench.hear(Buffer.from("01040401310222 2ace".replace(" ", ""), "hex").toString("latin1"));
	await settle();
	assert.deepEqual(bench.packets[0]?.body, { kind: "registers", unit: 1, table: "input", first: 1, values: [0x131, 0x222] });
	await assert.rejects(bench.send({ kind: "line", text: "x" }), fault("bad-value"));
	bench.end.abort();
	await bench.over;
	assert.equal(bench.clock.pending, 0, "no timer is left");
});

import { LinkDevice, type LinkDeviceOptions } from "../../../firmware-sim/link-device.js";
import { plugIn, Wire, type WireOptions } from "../../../firmware-sim/wire.js";
import type { Told } from "../../../src/south/meaning.js";
import { DeviceLinkDialect } from "../../../src/south/serial/device-link-dialect.js";
import type { LinkNews, LinkPoint, LinkSetting } from "../../../src/south/serial/device-link-model.js";
import { DeviceLinkSession } from "../../../src/south/serial/device-link-session.js";
import { textOf } from "../../../src/core/value.js";
import { FakeClock } from "../../fakes/clock.js";

export interface BenchOptions {
	readonly device?: Omit<LinkDeviceOptions, "clock">;
	readonly wire?: Omit<WireOptions, "clock">;
	/** Leave reports untaken, for the test to take: default is to take them at once. */
	readonly hold?: boolean;
}

/** A simulated board, a wire with faults, and the gateway's session and dialect on it. Time stands still. */
export class Bench {
	readonly clock = new FakeClock();
	readonly wire: Wire;
	readonly device: LinkDevice;
	readonly schemas = new Map<number, readonly LinkPoint[]>();
	readonly dialect = new DeviceLinkDialect("port0");
	readonly told: Told[] = [];
	readonly news: LinkNews[] = [];
	readonly faults: string[] = [];
	readonly untaken: (() => void)[] = [];
	/** Types of the frames that the gateway has sent, in their order. */
	sent = "";
	session!: DeviceLinkSession;
	ended!: Promise<void>;
	#port = new AbortController();
	readonly #hold: boolean;

	constructor({ device, wire, hold = false }: BenchOptions = {}) {
		this.#hold = hold;
		this.wire = new Wire({ clock: this.clock, ...wire });
		this.device = new LinkDevice({ clock: this.clock, ...device });
		plugIn(this.device, this.wire);
		this.open();
	}

	/** Open the port, as a link does: each time with a new session. */
	open(): void {
		this.#port = new AbortController();
		const { clock, wire, schemas, dialect } = this;
		const session = new DeviceLinkSession({
			path: "/dev/ttyS0", clock, schemas,
			write: async (bytes) => {
				this.sent += String.fromCharCode(bytes[2]!);
				wire.gateway.write(bytes);
			},
			hear: (news, taken) => {
				this.news.push(news);
				const { told = [] } = dialect.decode(news, clock.now());
				this.told.push(...told);
				if (this.#hold) this.untaken.push(taken);
				else taken();
			},
			fault: ({ reason }) => void this.faults.push(reason),
		});
		this.session = session;
		wire.gateway.onData = (bytes) => session.hear(bytes);
		this.ended = session.run(this.#port.signal);
	}

	/** The port is lost. */
	close(): void {
		this.#port.abort();
		this.wire.gateway.onData = () => undefined;
	}

	/** `temperature 23.50`, in the order in which they were told, and forgotten. */
	take(): string[] {
		return this.told.splice(0).map(({ point, value }) => `${point} ${textOf(value)}`);
	}

	/** Set a point by its name; resolves to what came of it. */
	command(setting: readonly [LinkSetting], signal = new AbortController().signal): Promise<string> {
		return this.session.send(setting[0], signal).then(() => "accepted", (error: unknown) => (error instanceof Error ? error.message : String(error)));
	}
}

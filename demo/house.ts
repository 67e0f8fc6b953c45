// The simulated house: seven devices, what is physically true of them, and what somebody with a hand can do to them.

import { type Pty, startPty } from "../test/live/servers/pty.js";
import { AirSensor } from "../firmware-sim/air-sensor.js";
import { systemClock as clock } from "../firmware-sim/clock.js";
import { HaClimate } from "../firmware-sim/ha-climate.js";
import { HaPlug } from "../firmware-sim/ha-plug.js";
import { ModbusBus } from "../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../firmware-sim/relay-board.js";
import { ThProbe } from "../firmware-sim/th-probe.js";
import { attach, plugIn, type SerialDevice, Wire } from "../firmware-sim/wire.js";
import { Z2mBridge } from "../firmware-sim/z2m-bridge.js";

/** What is physically true, as the page shows it. */
export interface HouseState {
	readonly thermostat: { readonly powered: boolean; readonly stuck: boolean; readonly temperature: number; readonly setpoint: number; readonly mode: string; readonly action: string };
	readonly plug: { readonly powered: boolean; readonly on: boolean; readonly power: number; readonly voltage: number };
	readonly bulb: { readonly on: boolean; readonly brightness: number; readonly colorTemp: number };
	readonly window: { readonly closed: boolean; readonly temperature: number; readonly battery: number };
	readonly probe: { readonly plugged: boolean; readonly temperature: number; readonly humidity: number };
	readonly relays: { readonly plugged: boolean; readonly closed: readonly boolean[] };
	readonly air: { readonly plugged: boolean; readonly co2: number; readonly pm25: number; readonly interval: number };
}

/** What a hand can do. Each is its own opposite when done again. */
export const ACTIONS = ["thermostat.stuck", "thermostat.turn", "plug.power", "plug.press", "window.open", "bus.unplug", "air.unplug"] as const;
export type Action = (typeof ACTIONS)[number];

/** The device's own time from a command to its deed: long enough to see that a command is pending. */
const THERMOSTAT_DELAY_MS = 1_000;

/** The house: both serial ports are there from the start, the MQTT devices come with `connect()`. */
export class House {
	readonly thermostat: HaClimate;
	readonly plug: HaPlug;
	readonly zigbee: Z2mBridge;
	readonly probe = new ThProbe({ address: 1, clock, temperature: 12.4, humidity: 61.3, swing: 0.6, period: 120_000 });
	readonly relays = new RelayBoard({ address: 2, clock });
	readonly air = new AirSensor({ clock });

	readonly #bus: Port;
	readonly #usb: Port;
	#plugPowered = true;

	private constructor(url: string, bus: Pty, usb: Pty) {
		this.thermostat = new HaClimate({ url, clock, delay: THERMOSTAT_DELAY_MS, period: 2_000 });
		this.plug = new HaPlug({ url, clock, period: 5_000 });
		this.zigbee = new Z2mBridge({ url, clock });
		this.#bus = new Port(bus, new ModbusBus({ clock, units: [this.probe, this.relays] }));
		this.#usb = new Port(usb, this.air);
		this.air.powerOn();
	}

	/** @param url Of the broker, where nobody need listen yet. */
	static async build(url: string): Promise<House> {
		const bus = await startPty();
		try {
			return new House(url, bus, await startPty());
		} catch (error) {
			await bus.stop();
			throw error;
		}
	}

	get busPath(): string {
		return this.#bus.pty.path;
	}

	get airPath(): string {
		return this.#usb.pty.path;
	}

	/** Switches the MQTT devices on. @throws {Error} when the broker does not answer */
	async connect(): Promise<void> {
		await Promise.all([this.thermostat.start(), this.plug.start(), this.zigbee.start()]);
	}

	get state(): HouseState {
		const { bulb, sensor } = this.zigbee.state;
		const { temperature, setpoint, mode, action } = this.thermostat.state;
		const plugged = this.#bus.plugged;
		return {
			thermostat: { powered: true, stuck: this.thermostat.stuck, temperature, setpoint, mode, action },
			plug: { powered: this.#plugPowered, on: this.#plugPowered && this.plug.state.on, power: this.#plugPowered ? this.plug.state.power : 0, voltage: this.plug.state.voltage },
			bulb: { on: bulb.state === "ON", brightness: bulb.brightness, colorTemp: bulb.color_temp },
			window: { closed: sensor.contact, temperature: sensor.temperature, battery: sensor.battery },
			probe: { plugged, ...this.probe.state },
			relays: { plugged, closed: this.relays.state },
			air: { plugged: this.#usb.plugged, co2: this.air.state.co2, pm25: this.air.state.pm25, interval: this.air.state.interval },
		};
	}

	async act(action: Action): Promise<void> {
		switch (action) {
			case "thermostat.stuck":
				this.thermostat.stuck = !this.thermostat.stuck;
				return;
			case "thermostat.turn":
				return this.thermostat.turn(this.thermostat.state.setpoint >= 26 ? 18 : this.thermostat.state.setpoint + 1);
			case "plug.power":
				this.#plugPowered = !this.#plugPowered;
				return this.#plugPowered ? this.plug.start() : this.plug.crash();
			case "plug.press":
				return this.#plugPowered ? this.plug.press() : undefined;
			case "window.open":
				return this.zigbee.window(!this.zigbee.state.sensor.contact);
			case "bus.unplug":
				return this.#bus.toggle();
			case "air.unplug":
				return this.#usb.toggle();
		}
	}

	async stop(): Promise<void> {
		this.air.powerOff();
		await Promise.all([this.thermostat.crash(), this.plug.crash(), this.zigbee.crash(), this.#bus.pty.stop(), this.#usb.pty.stop()]);
	}
}

/** A serial adapter that a hand can pull out, and the device behind it. */
class Port {
	readonly pty: Pty;
	plugged = true;
	readonly #wire = new Wire({ clock });
	/** Two clicks are two deeds, one after the other. */
	#last: Promise<void> = Promise.resolve();

	constructor(pty: Pty, device: SerialDevice) {
		this.pty = pty;
		plugIn(device, this.#wire);
		attach(this.#wire, pty.peer);
	}

	toggle(): Promise<void> {
		this.#last = this.#last.then(async () => {
			this.plugged = !this.plugged;
			await (this.plugged ? this.pty.replug() : this.pty.unplug());
		});
		return this.#last;
	}
}

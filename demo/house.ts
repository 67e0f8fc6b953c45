// The simulated house: seventeen devices of fourteen families, what is physically true of them, and what somebody with a hand can do to them.

import { type Pty, startPty } from "../test/live/servers/pty.js";
import { AirSensor } from "../firmware-sim/air-sensor.js";
import { systemClock as clock } from "../firmware-sim/clock.js";
import { EspHomeNode } from "../firmware-sim/esphome-node.js";
import { HaClimate } from "../firmware-sim/ha-climate.js";
import { HaPlug } from "../firmware-sim/ha-plug.js";
import { HomieDevice } from "../firmware-sim/homie-device.js";
import { ModbusBus } from "../firmware-sim/modbus-slave.js";
import { RelayBoard } from "../firmware-sim/relay-board.js";
import { SerialTalker } from "../firmware-sim/serial-talkers.js";
import { ShellyPlug } from "../firmware-sim/shelly-plug.js";
import { SparkplugNode } from "../firmware-sim/sparkplug-node.js";
import { TasmotaPlug } from "../firmware-sim/tasmota-plug.js";
import { ThProbe } from "../firmware-sim/th-probe.js";
import { VenusOs } from "../firmware-sim/venus-os.js";
import { attach, plugIn, type SerialDevice, Wire } from "../firmware-sim/wire.js";
import { WledStrip } from "../firmware-sim/wled-strip.js";
import { Z2mBridge } from "../firmware-sim/z2m-bridge.js";
import { ZwaveUi } from "../firmware-sim/zwave-ui.js";

/** What is physically true, as the page shows it. */
export interface HouseState {
	readonly thermostat: { readonly powered: boolean; readonly stuck: boolean; readonly temperature: number; readonly setpoint: number; readonly mode: string; readonly action: string };
	readonly plug: { readonly powered: boolean; readonly on: boolean; readonly power: number; readonly voltage: number };
	readonly bulb: { readonly on: boolean; readonly brightness: number; readonly colorTemp: number };
	readonly window: { readonly closed: boolean; readonly temperature: number; readonly battery: number };
	readonly probe: { readonly plugged: boolean; readonly temperature: number; readonly humidity: number };
	readonly relays: { readonly plugged: boolean; readonly closed: readonly boolean[] };
	readonly air: { readonly plugged: boolean; readonly co2: number; readonly pm25: number; readonly interval: number };
	readonly heater: { readonly on: boolean; readonly temperature: number; readonly setpoint: number };
	/** Brightness 0 to 255, colour `#RRGGBB`. */
	readonly shelf: { readonly brightness: number; readonly color: string };
	readonly coffee: { readonly on: boolean };
	readonly saw: { readonly powered: boolean; readonly on: boolean };
	readonly bench: { readonly on: boolean };
	readonly pump: { readonly on: boolean };
	/** Target in %. */
	readonly valve: { readonly open: boolean; readonly target: number };
	/** Output in W, battery in V. */
	readonly inverter: { readonly mode: number; readonly output: number; readonly battery: number };
	/** Battery and panel in V, current in A. */
	readonly solar: { readonly plugged: boolean; readonly battery: number; readonly current: number; readonly panel: number };
	/** Depth in m, speed in knots, water in °C. */
	readonly boat: { readonly plugged: boolean; readonly depth: number; readonly speed: number; readonly water: number };
}

/** What a hand can do. Each is its own opposite when done again. */
export const ACTIONS = ["thermostat.stuck", "thermostat.turn", "plug.power", "plug.press", "window.open", "bus.unplug", "air.unplug", "saw.press", "saw.power", "bench.press", "solar.unplug", "boat.unplug"] as const;
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
	readonly heater: HomieDevice;
	readonly shelf: WledStrip;
	readonly zwave: ZwaveUi;
	readonly saw: TasmotaPlug;
	readonly bench: ShellyPlug;
	readonly pump: EspHomeNode;
	readonly valve: SparkplugNode;
	readonly venus: VenusOs;
	readonly solar = new SerialTalker("vedirect", { clock });
	readonly boat = new SerialTalker("nmea", { clock });

	readonly #bus: Port;
	readonly #usb: Port;
	readonly #charger: Port;
	readonly #mooring: Port;
	#plugPowered = true;
	#sawPowered = true;

	private constructor(url: string, [bus, usb, charger, mooring]: readonly [Pty, Pty, Pty, Pty]) {
		this.thermostat = new HaClimate({ url, clock, delay: THERMOSTAT_DELAY_MS, period: 2_000 });
		this.plug = new HaPlug({ url, clock, period: 5_000 });
		this.zigbee = new Z2mBridge({ url, clock });
		this.heater = new HomieDevice({ url, clock, version: 5, period: 5_000 });
		this.shelf = new WledStrip({ url, clock });
		this.zwave = new ZwaveUi({ url, clock, payloads: "whole" });
		this.saw = new TasmotaPlug({ url, clock, period: 10_000, load: 750 });
		this.bench = new ShellyPlug({ url, clock, load: 25 });
		this.pump = new EspHomeNode({ url, clock, period: 5_000 });
		this.valve = new SparkplugNode({ url, clock });
		this.venus = new VenusOs({ url, clock });
		this.#bus = new Port(bus, new ModbusBus({ clock, units: [this.probe, this.relays] }));
		this.#usb = new Port(usb, this.air);
		this.#charger = new Port(charger, this.solar);
		this.#mooring = new Port(mooring, this.boat);
		for (const talker of [this.air, this.solar, this.boat]) talker.powerOn();
	}

	/** @param url Of the broker, where nobody need listen yet. */
	static async build(url: string): Promise<House> {
		const ports: Pty[] = [];
		const next = async (): Promise<Pty> => {
			const port = await startPty();
			ports.push(port);
			return port;
		};
		try {
			return new House(url, [await next(), await next(), await next(), await next()]);
		} catch (error) {
			await Promise.all(ports.map((port) => port.stop()));
			throw error;
		}
	}

	get busPath(): string {
		return this.#bus.pty.path;
	}

	get airPath(): string {
		return this.#usb.pty.path;
	}

	get solarPath(): string {
		return this.#charger.pty.path;
	}

	get boatPath(): string {
		return this.#mooring.pty.path;
	}

	/** Switches the MQTT devices on. @throws {Error} when the broker does not answer */
	async connect(): Promise<void> {
		await Promise.all(this.#nodes.map((node) => node.start()));
		this.venus.wake();
	}

	get #nodes(): readonly { start(): Promise<void>; crash(): Promise<void> }[] {
		return [this.thermostat, this.plug, this.zigbee, this.heater, this.shelf, this.zwave, this.saw, this.bench, this.pump, this.valve, this.venus];
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
			...this.#more,
		};
	}

	get #more(): Pick<HouseState, "heater" | "shelf" | "coffee" | "saw" | "bench" | "pump" | "valve" | "inverter" | "solar" | "boat"> {
		const { values } = this.heater;
		const { brightness, color } = this.shelf.state;
		const { open, target } = this.valve.state;
		const gx = this.venus.state;
		const { battery = 0, current = 0, panel = 0 } = this.solar.state;
		const { depth = 0, speed = 0, water = 0 } = this.boat.state;
		return {
			heater: { on: values["heating/power"] === "true", temperature: Number(values["climate/temperature"]), setpoint: Number(values["heating/setpoint"]) },
			shelf: { brightness, color },
			coffee: { on: this.zwave.state.on },
			saw: { powered: this.#sawPowered, on: this.#sawPowered && this.saw.on },
			bench: { on: this.bench.on },
			pump: { on: this.pump.pump },
			valve: { open, target },
			inverter: { mode: Number(gx["vebus/276/Mode"]), output: Number(gx["vebus/276/Ac/Out/L1/P"]), battery: Number(gx["vebus/276/Dc/0/Voltage"]) },
			solar: { plugged: this.#charger.plugged, battery, current, panel },
			boat: { plugged: this.#mooring.plugged, depth, speed, water },
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
			case "saw.press":
				return this.#sawPowered ? this.saw.press() : undefined;
			case "saw.power":
				this.#sawPowered = !this.#sawPowered;
				return this.#sawPowered ? this.saw.start() : this.saw.crash();
			case "bench.press":
				return this.bench.press();
			case "solar.unplug":
				return this.#charger.toggle();
			case "boat.unplug":
				return this.#mooring.toggle();
		}
	}

	async stop(): Promise<void> {
		for (const talker of [this.air, this.solar, this.boat]) talker.powerOff();
		await Promise.all([...this.#nodes.map((node) => node.crash()), ...[this.#bus, this.#usb, this.#charger, this.#mooring].map(({ pty }) => pty.stop())]);
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

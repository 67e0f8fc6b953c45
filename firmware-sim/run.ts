// Runs one simulator alone, until Ctrl-C. See README.md.
import { parseArgs } from "node:util";
import { AirSensor } from "./air-sensor.js";
import { systemClock } from "./clock.js";
import { FrigateNvr } from "./frigate-nvr.js";
import { HaClimate } from "./ha-climate.js";
import { HaPlug } from "./ha-plug.js";
import { MeshtasticNode } from "./meshtastic-node.js";
import { ModbusBus } from "./modbus-slave.js";
import { OwnTracksPhone } from "./owntracks-phone.js";
import { openPty } from "./pty.js";
import { RelayBoard } from "./relay-board.js";
import { AtModem, FirmataBoard, Mhz19, MySensorsGateway } from "./serial-obeyers.js";
import { SerialTalker, TALKER_NAMES } from "./serial-talkers.js";
import { ThProbe } from "./th-probe.js";
import { VenusOs } from "./venus-os.js";
import { Wire, attach, plugIn, type SerialDevice } from "./wire.js";
import { WledStrip } from "./wled-strip.js";
import { Z2mBridge } from "./z2m-bridge.js";
import { ZwaveUi } from "./zwave-ui.js";

interface Running {
	readonly says: string;
	readonly state: () => unknown;
	stop(): Promise<void>;
}

const NAMES = ["ha-climate", "ha-plug", "z2m-bridge", "zwave-ui", "venus-os", "wled-strip", "owntracks-phone", "meshtastic-node", "frigate-nvr", "modbus-bus", "air-sensor", "mhz19", "mysensors", "firmata", "at-modem", ...TALKER_NAMES] as const;
const USAGE = `usage: npx tsx firmware-sim/run.ts ${NAMES.join("|")} [--url mqtt://127.0.0.1:1883] [--pty /tmp/jidway-sim] [--faults 0.05] [--seed 1] [--echo] [--state]`;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		url: { type: "string", default: "mqtt://127.0.0.1:1883" },
		pty: { type: "string", default: "/tmp/jidway-sim" },
		faults: { type: "string", default: "0" },
		seed: { type: "string", default: "1" },
		echo: { type: "boolean", default: false },
		state: { type: "boolean", default: false },
	},
});

async function overMqtt(sim: { readonly state: unknown; start(): Promise<void>; stop(): Promise<void> }): Promise<Running> {
	await sim.start();
	return { says: `at ${values.url}`, state: () => sim.state, stop: () => sim.stop() };
}

async function overSerial(device: SerialDevice, state: () => unknown): Promise<Running> {
	const chance = Number(values.faults);
	const faults = { cut: chance, split: chance, late: chance, flip: chance };
	const wire = new Wire({ clock: systemClock, seed: Number(values.seed), echo: values.echo, toDevice: faults, toGateway: faults });
	plugIn(device, wire);
	const pty = await openPty(values.pty);
	attach(wire, pty.stream);
	return { says: `at ${pty.path}`, state, stop: () => pty.close() };
}

async function run(name: (typeof NAMES)[number]): Promise<Running> {
	const clock = systemClock;
	const mqtt = { url: values.url, clock };
	switch (name) {
		case "ha-climate":
			return overMqtt(new HaClimate(mqtt));
		case "ha-plug":
			return overMqtt(new HaPlug(mqtt));
		case "z2m-bridge":
			return overMqtt(new Z2mBridge(mqtt));
		case "zwave-ui":
			return overMqtt(new ZwaveUi(mqtt));
		case "venus-os":
			return overMqtt(new VenusOs(mqtt));
		case "wled-strip":
			return overMqtt(new WledStrip(mqtt));
		case "owntracks-phone":
			return overMqtt(new OwnTracksPhone(mqtt));
		case "meshtastic-node":
			return overMqtt(new MeshtasticNode(mqtt));
		case "frigate-nvr":
			return overMqtt(new FrigateNvr(mqtt));
		case "modbus-bus": {
			const probe = new ThProbe({ address: 1, clock, swing: 1.5 });
			const relays = new RelayBoard({ address: 2, clock });
			return overSerial(new ModbusBus({ clock, units: [probe, relays] }), () => ({ 1: probe.state, 2: relays.state }));
		}
		case "air-sensor": {
			const sensor = new AirSensor({ clock });
			const running = await overSerial(sensor, () => sensor.state);
			sensor.powerOn();
			return { ...running, stop: () => (sensor.powerOff(), running.stop()) };
		}
		case "mhz19": {
			const sensor = new Mhz19();
			return overSerial(sensor, () => sensor.state);
		}
		case "mysensors": {
			const gateway = new MySensorsGateway({ clock });
			const running = await overSerial(gateway, () => gateway.state);
			gateway.powerOn();
			return { ...running, stop: () => (gateway.powerOff(), running.stop()) };
		}
		case "firmata": {
			const board = new FirmataBoard();
			return overSerial(board, () => board.state);
		}
		case "at-modem": {
			const modem = new AtModem();
			return overSerial(modem, () => modem.state);
		}
		default: {
			const talker = new SerialTalker(name, { clock, seed: Number(values.seed) });
			const running = await overSerial(talker, () => talker.state);
			talker.powerOn();
			return { ...running, stop: () => (talker.powerOff(), running.stop()) };
		}
	}
}

const name = NAMES.find((known) => known === positionals[0]);
if (name === undefined) {
	console.error(USAGE);
	process.exitCode = 2;
} else {
	try {
		const running = await run(name);
		console.log(`${name} ${running.says}`);
		const show = values.state ? setInterval(() => console.log(JSON.stringify(running.state())), 5000) : undefined;
		let leaving = false;
		const leave = (): void => {
			if (leaving) return;
			leaving = true;
			clearInterval(show);
			void running.stop().then(() => process.exit(0));
		};
		process.on("SIGINT", leave);
		process.on("SIGTERM", leave);
	} catch (error) {
		console.error(error instanceof Error ? error.message : error);
		process.exitCode = 1;
	}
}

// Runs one simulator alone, until Ctrl-C. See README.md.
import { parseArgs } from "node:util";
import { AirSensor } from "./air-sensor.js";
import { systemClock } from "./clock.js";
import { EspHomeNode } from "./esphome-node.js";
import { FrigateNvr } from "./frigate-nvr.js";
import { HaClimate } from "./ha-climate.js";
import { HaPlug } from "./ha-plug.js";
import { HomieDevice } from "./homie-device.js";
import { LinkDevice } from "./link-device.js";
import { ChirpStackServer, ThingsStackServer } from "./lorawan-servers.js";
import { MeshtasticNode } from "./meshtastic-node.js";
import { ModbusBus } from "./modbus-slave.js";
import { OwnTracksPhone } from "./owntracks-phone.js";
import { openPty } from "./pty.js";
import { RelayBoard } from "./relay-board.js";
import { Rtl433Stick } from "./rtl433.js";
import { RuuviGateway } from "./ruuvi-gateway.js";
import { SenmlSensor } from "./senml-sensor.js";
import { AtModem, FirmataBoard, Mhz19, MySensorsGateway } from "./serial-obeyers.js";
import { SerialTalker, TALKER_NAMES } from "./serial-talkers.js";
import { Shelly25 } from "./shelly-25.js";
import { ShellyPlug } from "./shelly-plug.js";
import { SparkplugNode } from "./sparkplug-node.js";
import { TasmotaPlug } from "./tasmota-plug.js";
import { ThProbe } from "./th-probe.js";
import { TheengsGateway } from "./theengs-gateway.js";
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

const NAMES = [
	"ha-climate", "ha-plug", "z2m-bridge", "homie-device", "tasmota-plug", "shelly-plug", "shelly-25", "esphome-node", "sparkplug-node", "senml-sensor", "ruuvi-gateway", "theengs-gateway", "rtl433",
	"things-stack", "chirpstack", "zwave-ui", "venus-os", "wled-strip", "owntracks-phone", "meshtastic-node", "frigate-nvr",
	"modbus-bus", "air-sensor", "link-device", "mhz19", "mysensors", "firmata", "at-modem", ...TALKER_NAMES,
] as const;
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

interface MqttSim {
	start(): Promise<void>;
	stop(): Promise<void>;
}

async function overMqtt<Sim extends MqttSim>(sim: Sim, state: (sim: Sim) => unknown): Promise<Running> {
	await sim.start();
	return { says: `at ${values.url}`, state: () => state(sim), stop: () => sim.stop() };
}

/** Of a simulator that tells its whole truth. */
function whole({ state }: { readonly state: unknown }): unknown {
	return state;
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
			return overMqtt(new HaClimate(mqtt), whole);
		case "ha-plug":
			return overMqtt(new HaPlug(mqtt), whole);
		case "z2m-bridge":
			return overMqtt(new Z2mBridge(mqtt), whole);
		case "homie-device":
			return overMqtt(new HomieDevice(mqtt), (heater) => heater.values);
		case "tasmota-plug":
			return overMqtt(new TasmotaPlug(mqtt), ({ on }) => ({ on }));
		case "shelly-plug":
			return overMqtt(new ShellyPlug(mqtt), ({ on }) => ({ on }));
		case "shelly-25":
			return overMqtt(new Shelly25(mqtt), whole);
		case "esphome-node":
			return overMqtt(new EspHomeNode(mqtt), ({ pump }) => ({ pump }));
		case "sparkplug-node":
			return overMqtt(new SparkplugNode(mqtt), ({ state }) => ({ ...state, turns: String(state.turns) })); // JSON has no bigint
		case "senml-sensor":
			return overMqtt(new SenmlSensor(mqtt), whole);
		case "ruuvi-gateway":
			return overMqtt(new RuuviGateway(mqtt), whole);
		case "theengs-gateway":
			return overMqtt(new TheengsGateway(mqtt), whole);
		case "rtl433":
			return overMqtt(new Rtl433Stick(mqtt), whole);
		case "things-stack":
			return overMqtt(new ThingsStackServer(mqtt), whole);
		case "chirpstack":
			return overMqtt(new ChirpStackServer(mqtt), whole);
		case "zwave-ui":
			return overMqtt(new ZwaveUi(mqtt), whole);
		case "venus-os": {
			const venus = new VenusOs(mqtt);
			const running = await overMqtt(venus, whole);
			venus.wake(); // else nobody would know that there is one to ask
			return running;
		}
		case "wled-strip":
			return overMqtt(new WledStrip(mqtt), whole);
		case "owntracks-phone":
			return overMqtt(new OwnTracksPhone(mqtt), whole);
		case "meshtastic-node":
			return overMqtt(new MeshtasticNode(mqtt), whole);
		case "frigate-nvr":
			return overMqtt(new FrigateNvr(mqtt), whole);
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
		case "link-device": {
			const board = new LinkDevice({ clock, everySeconds: 10 });
			const running = await overSerial(board, () => board.state);
			board.start();
			return { ...running, stop: () => (board.stop(), running.stop()) };
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

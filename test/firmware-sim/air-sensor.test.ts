import assert from "node:assert/strict";
import { test } from "node:test";
import { AirSensor } from "../../firmware-sim/air-sensor.js";
import { Wire, plugIn } from "../../firmware-sim/wire.js";
import { FakeClock } from "./fake-clock.js";

function powered(): { readonly sensor: AirSensor; readonly clock: FakeClock; said(): string; tell(text: string): string } {
	const clock = new FakeClock();
	const sensor = new AirSensor({ clock, seed: 3 });
	let heard = "";
	sensor.transmit = (raw) => (heard += Buffer.from(raw).toString("latin1"));
	const said = (): string => {
		const text = heard;
		heard = "";
		return text;
	};
	sensor.powerOn();
	return {
		sensor,
		clock,
		said,
		tell(text) {
			said();
			sensor.receive(Buffer.from(text, "latin1"));
			return said();
		},
	};
}

const LINE = /^co2=[0-9]+ pm2\.5=[0-9]+\.[0-9] temp=[0-9]+\.[0-9]{2} hum=[0-9]+\.[0-9] interval=[0-9]+\r\n$/;

test("AirSensor boots with a banner and then says one line a second", () => {
	const { clock, said } = powered();
	assert.equal(said(), "AirSensor v1.3 (c) Example Instruments\r\nsensors: SCD41 PMS5003\r\nready\r\n");
	clock.advance(999);
	assert.equal(said(), "");
	clock.advance(1);
	assert.match(said(), LINE);
	clock.advance(3000);
	assert.equal(said().split("\r\n").length, 4);
});

test("AirSensor says the air with the digits of its sensors", () => {
	const { sensor, clock, said } = powered();
	said();
	clock.advance(1000);
	const { co2, pm25, temperature, humidity } = sensor.state;
	assert.equal(said(), `co2=${co2.toFixed(0)} pm2.5=${pm25.toFixed(1)} temp=${temperature.toFixed(2)} hum=${humidity.toFixed(1)} interval=1\r\n`);
});

test("AirSensor takes a new interval, says OK, and shows it in its lines", () => {
	const { sensor, clock, said, tell } = powered();
	assert.equal(tell("INTERVAL 2\r\n"), "OK INTERVAL 2\r\n");
	clock.advance(1999);
	assert.equal(said(), "");
	clock.advance(1);
	assert.match(said(), / interval=2\r\n$/);
	assert.equal(sensor.state.interval, 2);
});

for (const line of ["HELLO", "INTERVAL", "INTERVAL 0", "INTERVAL 61", "INTERVAL 2.5", "INTERVAL -1", "interval 2", "INTERVAL 2 ", "", "x".repeat(1000)]) {
	test(`AirSensor answers ERR to ${JSON.stringify(line.slice(0, 20))} and changes nothing`, () => {
		const { sensor, tell } = powered();
		assert.equal(tell(`${line}\r\n`), "ERR\r\n");
		assert.equal(sensor.state.interval, 1);
	});
}

test("AirSensor understands a command wherever it is cut, with and without CR", () => {
	for (const command of ["INTERVAL 7\r\n", "INTERVAL 7\n"]) {
		for (let cut = 0; cut <= command.length; cut++) {
			const { sensor, tell } = powered();
			assert.equal(tell(command.slice(0, cut)) + tell(command.slice(cut)), "OK INTERVAL 7\r\n");
			assert.equal(sensor.state.interval, 7);
		}
	}
});

test("an AirSensor that is stuck says OK and goes on as before", () => {
	const { sensor, clock, said, tell } = powered();
	sensor.stuck = true;
	assert.equal(tell("INTERVAL 9\n"), "OK INTERVAL 9\r\n");
	clock.advance(1000);
	assert.match(said(), / interval=1\r\n$/);
});

test("an AirSensor without power hears and says nothing, and forgets half a command", () => {
	const { sensor, clock, said, tell } = powered();
	tell("INTERV");
	sensor.powerOff();
	assert.equal(tell("INTERVAL 5\n"), "");
	clock.advance(10_000);
	assert.equal(said(), "");
	sensor.powerOn();
	assert.equal(tell("INTERVAL 5\n"), "OK INTERVAL 5\r\n");
});

test("AirSensor speaks through a wire", () => {
	const clock = new FakeClock();
	const wire = new Wire({ clock });
	const sensor = new AirSensor({ clock });
	let heard = "";
	wire.gateway.onData = (raw) => (heard += Buffer.from(raw).toString("latin1"));
	plugIn(sensor, wire);
	sensor.powerOn();
	wire.gateway.write(Buffer.from("INTERVAL 3\n"));
	clock.advance(3000);
	assert.match(heard, /ready\r\nOK INTERVAL 3\r\nco2=/);
});

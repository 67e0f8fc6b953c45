import assert from "node:assert/strict";
import { test } from "node:test";
import { SerialTalker, TALKER_NAMES, type TalkerName } from "../../../firmware-sim/serial-talkers.js";
import { isNumeric, textOf, type Value } from "../../../src/core/value.js";
import type { Packet } from "../../../src/south/link.js";
import type { Meaning } from "../../../src/south/meaning.js";
import { SerialDialect } from "../../../src/south/serial/dialect.js";
import type { Framer } from "../../../src/south/serial/framer.js";
import { SERIAL_PROTOCOLS } from "../../../src/south/serial/protocols/all.js";
import { Chance, mutate, RUNS } from "../../fakes/fuzz.js";
import { FakeClock } from "../../fakes/clock.js";
import { noiseFramers, noises, time } from "./noise.js";

const NOON = Date.UTC(2026, 0, 1, 12);
const bytes = (latin1: string): Uint8Array => Uint8Array.from(Buffer.from(latin1, "latin1"));
const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"));
const dialectOf = (protocol: string): SerialDialect => new SerialDialect({ link: "port", protocol, devices: [] });

/** Frames of some chunks, as packet bodies and fault texts. */
function cut(dialect: SerialDialect, ...chunks: readonly Uint8Array[]): (Packet["body"] | string)[] {
	const framer = dialect.framer();
	return chunks.flatMap((chunk) => [...framer.push(chunk)]).map((frame) => (frame.kind === "fault" ? frame.reason : "text" in frame ? { kind: "line", text: frame.text } : { kind: "frame", bytes: frame.bytes }));
}

function meanings(dialect: SerialDialect, stream: Uint8Array, received = NOON): Meaning[] {
	return cut(dialect, stream).flatMap((body) => (typeof body === "string" ? [] : [dialect.decode({ body, received, taken: () => {} })]));
}

/** `address point` → value with its unit, of all that was told. */
function told(all: readonly Meaning[]): Record<string, string> {
	const units = new Map(all.flatMap(({ announced = [] }) => announced).flatMap(({ address, points }) => Object.entries(points).map(([name, point]) => [`${address} ${name}`, point.kind === "numeric" && point.unit ? ` ${point.unit}` : ""])));
	return Object.fromEntries(all.flatMap((meaning) => meaning.told ?? []).map(({ address, point, value }) => [`${address} ${point}`, textOf(value) + (units.get(`${address} ${point}`) ?? "")]));
}

function nmea(body: string): string {
	let check = 0;
	for (const char of body) check ^= char.charCodeAt(0);
	return `$${body}*${check.toString(16).toUpperCase().padStart(2, "0")}\r\n`;
}

function vedirect(...fields: readonly string[]): Uint8Array {
	const block = bytes(`${fields.map((field) => `\r\n${field}`).join("")}\r\nChecksum\t`);
	return Uint8Array.from([...block, (256 - (block.reduce((all, byte) => all + byte, 0) % 256)) % 256]);
}

const APRS = (info: string): Uint8Array => Uint8Array.from([0xc0, 0, ...[..."APRS  "].map((char) => char.charCodeAt(0) << 1), 0x60, ...[..."N0CALL"].map((char) => char.charCodeAt(0) << 1), 0x61 | (7 << 1), 3, 0xf0, ...bytes(info), 0xc0]);

/** [protocol, what, bytes, what is told] */
const ROWS: readonly (readonly [string, string, Uint8Array, Readonly<Record<string, string>>])[] = [
	["nmea", "a position west and south, with its digits", bytes(nmea("GNGGA,101112.00,3351.2500,S,07040.5000,W,2,11,0.8,570.30,M,27.1,M,,")), { "port latitude": "-33.8541667 °", "port longitude": "-70.675000 °", "port fix_quality": "2", "port satellites": "11", "port hdop": "0.8", "port altitude": "570.30 m", "port geoid_separation": "27.1 m" }],
	["nmea", "no fix: no position", bytes(nmea("GPGGA,101112.00,3351.2500,S,07040.5000,W,0,00,,,M,,M,,")), { "port fix_quality": "0", "port satellites": "0" }],
	["nmea", "RMC that is void", bytes(nmea("GPRMC,101112,V,5133.82,N,00042.24,W,1.0,2.0,130624,,,N")), { "port valid": "false" }],
	["nmea", "RMC", bytes(nmea("GPRMC,101112.50,A,5133.82,N,00042.24,E,1.30,231.8,130624,004.2,E,A")), { "port valid": "true", "port latitude": "51.5636667 °", "port longitude": "0.7040 °", "port speed": "1.30 kn", "port course": "231.8 °", "port variation": "4.2 °", "port time": "2024-06-13T10:11:12.50Z" }],
	["nmea", "wind, relative and true", bytes(nmea("WIMWV,214.8,R,0.10,K,A") + nmea("WIMWV,104.8,T,5.10,N,A") + nmea("WIMWV,1.0,R,9,K,V")), { "port wind_angle_apparent": "214.8 °", "port wind_speed_apparent": "0.10 km/h", "port wind_angle_true": "104.8 °", "port wind_speed_true": "5.10 kn" }],
	["nmea", "heading with deviation, speed through water, depth of feet alone", bytes(nmea("HCHDG,101.1,0.5,W,7.1,W") + nmea("VWVHW,,T,99.0,M,5.2,N,9.6,K") + nmea("SDDBT,12.5,f,,M,,F")), { "port heading_magnetic": "99.0 °", "port deviation": "-0.5 °", "port variation": "-7.1 °", "port water_speed": "5.2 kn", "port water_speed_kmh": "9.6 km/h", "port depth": "12.5 ft" }],
	["nmea", "transducers by name", bytes(nmea("IIXDR,C,19.52,C,TempAir,P,1.01325,B,Barometer,H,45.1,P,Hum,A,-3.2,D,PITCH")), { "port TempAir": "19.52 °C", "port Barometer": "1.01325 bar", "port Hum": "45.1 %", "port PITCH": "-3.2 °" }],
	["nmea", "a wrong checksum, AIS, what is proprietary, empty fields", bytes(`$GPHDT,1.0,T*00\r\n${nmea("GPVTG,,T,,M,,N,,K,N")}${nmea("PUBX,00,1,2")}!AIVDM,1,1,,A,13u?etPv2;0n:dDPwUM1U1Cb069D,0*24\r\n`), {}],
	["vedirect", "a battery monitor with sentinels", vedirect("PID\t0x203", "V\t25881", "T\t---", "I\t-420", "SOC\t1000", "TTG\t-1", "Alarm\tON", "AR\t2", "FW\t0408"), { "port PID": "0x203", "port V": "25.881 V", "port I": "-0.420 A", "port SOC": "100.0 %", "port Alarm": "true", "port AR": "2", "port alarm_reason": "high voltage", "port FW": "0408" }],
	["vedirect", "a block after its serial number, with HEX in it", Uint8Array.from([...vedirect("SER#\tHQ1", "CS\t5"), ...bytes("\r\nV\t1:7F0ED00\n"), ...vedirect("V\t12100").subarray(5)]), { "HQ1 SER#": "HQ1", "HQ1 CS": "5", "HQ1 state": "float" }],
	["sds011", "a measurement, an answer to a command, and the next", hex("AA C0 4B 00 79 00 A1 60 C5 AB  AA C5 02 01 01 00 A1 60 05 AB"), { "a160 pm25": "7.5 µg/m³", "a160 pm10": "12.1 µg/m³" }],
	["plantower", "24 bytes have no counts", hex("42 4D 00 14 00 01 00 02 00 03 00 04 00 05 00 06 00 00 00 00 00 51 01 09"), { "port pm1.0": "4 µg/m³", "port pm2.5": "5 µg/m³", "port pm10": "6 µg/m³", "port pm1.0_cf1": "1 µg/m³", "port pm2.5_cf1": "2 µg/m³", "port pm10_cf1": "3 µg/m³" }],
	["mhz19", "an answer; the request of another master says nothing", hex("FF 01 86 00 00 00 00 00 79  FF 86 03 E8 41 00 00 00 4E"), { "port co2": "1000 ppm", "port temperature": "25 °C" }],
	["mysensors", "values by type, and what is no reading", bytes("4;2;1;0;38;3.71\n4;3;1;0;16;1\n4;255;3;0;0;100\n4;2;2;0;38;\n4;1;1;0;49;54.32,10.13,12\n4;9;1;0;47;a;b\n255;255;3;0;3;\n"), { "port-4 child2.V_VOLTAGE": "3.71 V", "port-4 child3.V_TRIPPED": "true", "port-4 battery_level": "100 %", "port-4 child1.V_POSITION.latitude": "54.32 °", "port-4 child1.V_POSITION.longitude": "10.13 °", "port-4 child1.V_POSITION.altitude": "12 m", "port-4 child9.V_TEXT": "a;b" }],
	["rflink", "hexadecimal, decimal and the sign", bytes("20;01;Oregon Wind;ID=1a2d;WINDIR=0004;WINSP=0040;WINGS=0088;BAT=LOW;\n20;02;Some/Thing-2;ID=00;TEMP=80ff;HUM=99;BARO=03f5;RAIN=0a00;\n20;03;X;ID=1;WATT=zz;\n"), { "Oregon Wind/1a2d WINDIR": "90.0 °", "Oregon Wind/1a2d WINSP": "6.4 km/h", "Oregon Wind/1a2d WINGS": "13.6 km/h", "Oregon Wind/1a2d battery_ok": "false", "Some/Thing-2/00 TEMP": "-25.5 °C", "Some/Thing-2/00 HUM": "99 %", "Some/Thing-2/00 BARO": "1013 hPa", "Some/Thing-2/00 RAIN": "256.0 mm" }],
	["rflink", "what the gateway says of itself is no device's", bytes("20;05;PONG;\n20;06;DEBUG;Pir;ab=1;\n20;07;OK;\n10;Kaku;41;3;ON;\n"), {}],
	["jeelink", "below zero, low battery, a second probe, no hygrometer", bytes("OK 9 12 1 3 155 234\nOK 9 12 130 4 100 125\n"), { "port-12 temperature": "-7.7 °C", "port-12 low_battery": "false", "port-12 temperature2": "12.4 °C", "port-12 new_battery": "true" }],
	["jeelink", "bytes beyond 255, and other sensors", bytes("OK 9 1 1 4 300 50\nOK WS 1 4 4 1 2 3\nOK 22 1 2 3\n[LaCrosse\n"), {}],
	["cul", "a thermometer and a hygrometer", bytes("KA13401255C\n"), { "WS/3 temperature": "-13.4 °C", "WS/3 humidity": "25.0 %", "WS/3 rssi": "-28.0 dBm" }],
	["cul", "a remote, without and with strength", bytes("F1A2B0311\nF1A2B0300F0\n"), { "FS20/1A2B/03 command": "off", "FS20/1A2B/03 rssi": "-82.0 dBm" }],
	["firmata", "digital port 1 and analog channel 3", hex("91 05 00 E3 7F 07"), { "port D8": "true", "port D9": "false", "port D10": "true", "port D11": "false", "port D12": "false", "port D13": "false", "port D14": "false", "port D15": "false", "port A3": "1023" }],
	["firmata", "a message cut short by the next", hex("E0 01 F9 02 05"), { "port protocol_version": "2.5" }],
	["kiss", "a compressed position", APRS("!/5L!!<*e7>7P[ moving"), { "N0CALL-7 info": "!/5L!!<*e7>7P[ moving", "N0CALL-7 latitude": "49.50000 °", "N0CALL-7 longitude": "-72.75000 °", "N0CALL-7 comment": "moving" }],
	["kiss", "course, speed and altitude", APRS("=4903.50N/07201.75W>088/036/A=001234 hi"), { "N0CALL-7 info": "=4903.50N/07201.75W>088/036/A=001234 hi", "N0CALL-7 latitude": "49.0583333 °", "N0CALL-7 longitude": "-72.0291667 °", "N0CALL-7 course": "88 °", "N0CALL-7 speed": "36 kn", "N0CALL-7 altitude": "1234 ft", "N0CALL-7 comment": "hi" }],
	["kiss", "telemetry", APRS("T#005,199,000,255,073,123,01101001"), { "N0CALL-7 info": "T#005,199,000,255,073,123,01101001", "N0CALL-7 sequence": "5", "N0CALL-7 analog1": "199", "N0CALL-7 analog2": "0", "N0CALL-7 analog3": "255", "N0CALL-7 analog4": "73", "N0CALL-7 analog5": "123", ...Object.fromEntries([..."01101001"].map((bit, index) => [`N0CALL-7 digital${index + 1}`, String(bit === "1")])) }],
	["kiss", "weather without a position", APRS("_10090556c220s004g005t077r000p000P000h50b09900"), { "N0CALL-7 info": "_10090556c220s004g005t077r000p000P000h50b09900", "N0CALL-7 wind_direction": "220 °", "N0CALL-7 wind_speed": "4 mph", "N0CALL-7 wind_gust": "5 mph", "N0CALL-7 temperature": "77 °F", "N0CALL-7 rain_1h": "0.00 in", "N0CALL-7 rain_24h": "0.00 in", "N0CALL-7 rain_since_midnight": "0.00 in", "N0CALL-7 humidity": "50 %", "N0CALL-7 pressure": "990.0 hPa" }],
	["at", "signal, network, battery", bytes("AT+CSQ\r\n+CSQ: 20,99\r\nOK\r\n+CEREG: 0,5\r\n+CREG: 1\r\n+CBC: 1,64,3811\r\n+CSQ: 99,99\r\nRING\r\n"), { "port signal": "-73 dBm", "port registration_lte": "roaming", "port registration": "home", "port battery": "64 %", "port battery_voltage": "3811 mV", "port charging": "true" }],
	["at", "a position without a fix, and a garbled prefix", bytes("+CGNSINF: 1,0,,,,,,,0,,,,,,,,,,,,\r\n+CGNSIN+CSQ: 20,0\r\nERROR\r\n"), { "port fix": "false" }],
	["dsmr", "version 2: the gas on the next line", bytes("/SIM2\r\n\r\n0-0:96.1.1(4D455445523031)\r\n1-0:1.8.1(00012.345*kWh)\r\n0-0:96.14.0(0002)\r\n0-2:24.1.0(3)\r\n0-2:96.1.0(47415331)\r\n0-2:24.3.0(260101110000)(00)(60)(1)(0-2:24.2.1)(m3)\r\n(00123.456)\r\n!\r\n"), { "METER01 equipment_id": "4D455445523031", "METER01 import_tariff1": "12.345 kWh", "METER01 tariff": "2", "METER01 meter_type": "SIM2", "GAS1 reading": "123.456 m³" }],
	["dsmr", "a wrong checksum loses all of it", bytes("/SIM5\r\n\r\n1-0:1.8.1(00012.345*kWh)\r\n!0000\r\n"), {}],
];

for (const [protocol, what, stream, readings] of ROWS) {
	test(`${protocol}: ${what}`, () => {
		const found = told(meanings(dialectOf(protocol), stream));
		for (const [name, value] of Object.entries(readings)) assert.equal(found[name], value, name);
		// What a row leaves out are the flags of a sensor; nothing may be told where nothing is named.
		if (Object.keys(readings).length === 0) assert.deepEqual(found, {});
	});
}

/** What a talker's message must come out as: [device and point, its truth, how near]. */
const TRUTHS: Readonly<Record<TalkerName, readonly (readonly [string, string, number])[]>> = {
	nmea: [["port latitude", "latitude", 1e-5], ["port longitude", "longitude", 1e-5], ["port speed", "speed", 0.006], ["port course", "course", 0.06], ["port depth", "depth", 0.06], ["port water_temperature", "water", 0.06]],
	dsmr: [["SIM0001 power_import", "power", 6e-4], ["SIM0001 voltage_l1", "voltage", 0.06], ["GAS0007 reading", "gas", 6e-4]],
	vedirect: [["SIM0001 V", "battery", 6e-4], ["SIM0001 I", "current", 6e-4], ["SIM0001 VPV", "panel", 6e-4]],
	sds011: [["a160 pm25", "pm25", 0.06], ["a160 pm10", "pm10", 0.06]],
	plantower: [["port pm2.5", "pm25", 0.6], ["port pm10", "pm10", 0.6]],
	rflink: [["SimTemp V1/0042 TEMP", "temperature", 0.06], ["SimTemp V1/0042 HUM", "humidity", 0.6]],
	jeelink: [["port-21 temperature", "temperature", 0.06], ["port-21 humidity", "humidity", 0.6], ["port-48 temperature", "outside", 0.06]],
	cul: [["WS/3 temperature", "temperature", 0.06], ["WS/3 humidity", "humidity", 0.06]],
	kiss: [["N0SIM-13 temperature", "fahrenheit", 0.6], ["N0SIM-13 humidity", "humidity", 0.6]],
	lines: [["port Soil moisture", "soil", 0.6], ["port Air temp", "air", 0.06]],
};

for (const name of TALKER_NAMES) {
	test(`${name}: a simulated device is understood as it is, turn for turn, and announced once`, () => {
		const talker = new SerialTalker(name, { clock: new FakeClock(NOON), seed: 7 });
		const dialect = dialectOf(name);
		const framer = dialect.framer();
		const announced = new Map<string, string>();
		for (let turn = 0; turn < 40; turn++) {
			const truth = { ...talker.state };
			const found = new Map<string, Value>();
			for (const frame of framer.push(talker.next())) {
				if (frame.kind === "fault") assert.fail(frame.reason);
				const meaning = dialect.decode({ body: "text" in frame ? { kind: "line", text: frame.text } : { kind: "frame", bytes: frame.bytes }, received: NOON + turn * 1_000, taken: () => {} });
				if (turn > 0) assert.equal(meaning.misfits, undefined);
				for (const one of meaning.announced ?? []) {
					assert.notEqual(JSON.stringify(one), announced.get(one.address), "announced again without a change");
					announced.set(one.address, JSON.stringify(one));
					assert.ok(turn < 10, `${one.address} is announced anew at turn ${turn}`);
				}
				for (const { address, point, value } of meaning.told ?? []) found.set(`${address} ${point}`, value);
			}
			for (const [point, key, near] of TRUTHS[name]) {
				const value = found.get(point);
				assert.ok(value !== undefined && isNumeric(value), `${point} at turn ${turn}`);
				assert.ok(Math.abs(value.number - (truth[key] ?? NaN)) <= near, `${point} is ${value.text}, and the device has ${truth[key]}`);
			}
		}
	});
}

/** A stream of good messages of each protocol, for what must hold for all of them. */
const STREAMS = SERIAL_PROTOCOLS.map(({ name }) => {
	const own = ROWS.filter(([protocol]) => protocol === name).map(([, , stream]) => [...stream]);
	const talker = TALKER_NAMES.find((known) => known === name);
	const said = talker === undefined ? [] : Array.from({ length: 3 }, ((device) => () => [...device.next()])(new SerialTalker(talker, { clock: new FakeClock(NOON) })));
	return { name, stream: Uint8Array.from([...own, ...said].flat()) };
});

for (const { name, stream } of STREAMS) {
	test(`${name}: the same messages wherever the stream is cut`, () => {
		const whole = cut(dialectOf(name), stream);
		assert.ok(whole.some((body) => typeof body !== "string"));
		for (let at = 0; at <= stream.length; at++) assert.deepEqual(cut(dialectOf(name), stream.subarray(0, at), stream.subarray(at)), whole, `cut at ${at}`);
		assert.deepEqual(cut(dialectOf(name), ...Array.from(stream, (byte) => Uint8Array.of(byte))), whole, "byte by byte");
	});

	test(`${name}: ${RUNS} damaged streams throw nothing, and tell finite numbers of announced points`, () => {
		const chance = new Chance(29);
		const dialect = dialectOf(name);
		const points = new Map<string, ReadonlySet<string>>();
		for (let run = 0; run < RUNS; run++) {
			const from = chance.int(stream.length);
			for (const meaning of meanings(dialect, mutate(chance, stream.subarray(from, from + 200)), NOON + run * 1_000)) {
				for (const { address, points: names } of meaning.announced ?? []) points.set(address, new Set(Object.keys(names)));
				for (const { address, point, value } of meaning.told ?? []) {
					assert.ok(points.get(address)?.has(point), `${address} ${point} was never announced`);
					if (isNumeric(value)) assert.ok(Number.isFinite(value.number) && Number(value.text) === value.number, value.text);
				}
			}
		}
	});
}

/** The least that 5 MB can cost: each byte is looked at, and kept. */
function plainLoop(): Framer {
	const kept = new Uint8Array(4_096);
	let length = 0;
	return {
		push: (chunk) => {
			for (let at = 0; at < chunk.length; at++) {
				const byte = chunk[at]!;
				if (byte === 0x0a || byte === 0x0d || length === kept.length) length = 0;
				else kept[length++] = byte;
			}
			return [];
		},
		idle: () => [],
	};
}

/** How many times as long as the plain loop noise may take: 5 MB are under 100 ms by far where the loop takes its 10 ms (test/bench/serial-noise.bench.ts). */
const TIMES_THE_LOOP = 10;

for (const { name, start, framer, costly = 1 } of noiseFramers()) {
	test(`${name}: noise without a line end costs little more than a loop over its bytes, and its time grows with its size, not with its square`, () => {
		for (const [what, chunk] of Object.entries(noises(start))) {
			if (what === "random") continue; // with line ends: what is told of each line costs, and is told once
			time(framer, chunk, 1e6);
			// In turns, so that a slow spell of the machine meets all; the least of each is what the work itself costs.
			let [loop, small, large] = [Infinity, Infinity, Infinity];
			for (let turn = 0; turn < 3; turn++) {
				loop = Math.min(loop, time(plainLoop, chunk, 5e6));
				small = Math.min(small, time(framer, chunk, 1e6));
				large = Math.min(large, time(framer, chunk, 5e6));
			}
			assert.ok(large < TIMES_THE_LOOP * costly * (loop + 1), `${(large / loop).toFixed(1)} times as long as the loop for ${what}`);
			// Linear is 5, quadratic 25. What takes a millisecond cannot be measured.
			assert.ok(large < 8 * (small + 3), `5 MB took ${(large / small).toFixed(1)} times as long as 1 MB for ${what}`);
		}
	});
}

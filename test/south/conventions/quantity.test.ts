import assert from "node:assert/strict";
import { test } from "node:test";
import { quantityOf } from "../../../src/south/conventions/quantity.js";

const ROWS: readonly (readonly [name: string, unit: string | undefined, category?: string])[] = [
	["temperature", "°C"], ["TempC_SHT", "°C"], ["TempC1", "°C"], ["Temp_Black", "°C"], ["Air Temperature", "°C"], ["soil_temperature", "°C"], ["temp_f", "°F"], ["dewPoint", "°C"], ["probe.temperature.value", "°C"], ["temperatures[0]", undefined],
	["humidity", "%"], ["Hum_SHT", "%"], ["relativeHumidity", "%"], ["soil.moisture", "%"], ["battery", "%", "status"], ["batteryLevel", "%", "status"], ["BatV", "V", "status"], ["Bat_V", "V", "status"], ["battery_voltage", "V", "status"], ["bat_mV", "mV", "status"], ["ADC_CH0V", "V"], ["voltage", "V"], ["current", "A"], ["current_mA", "mA"],
	["pressure", "hPa"], ["Barometric Pressure", "hPa"], ["pressure_kPa", "kPa"], ["co2", "ppm"], ["CO2", "ppm"], ["PM2_5", "µg/m³"], ["pm10", "µg/m³"], ["illuminance", "lx"], ["Light Intensity", "lx"], ["UV Index", "UV index"], ["Wind Speed", "m/s"], ["Wind Direction Sensor", "°"], ["Rain Gauge", "mm"], ["rain_rate", "mm/h"],
	["gps.latitude", "°"], ["altitude", "m"], ["distance", "mm"], ["rssi", "dBm", "status"], ["snr", "dB", "status"], ["power", "W"], ["energy_kWh", "kWh"], ["energy", undefined], ["conductivity", "µS/cm"], ["pH", "pH"],
	["temperature_alarm", undefined, "status"], ["Work_mode", undefined, "status"], ["Door_status", undefined, "status"], ["firmware_version", undefined, "identity"], ["serial", undefined, "identity"], ["pulse_count", undefined], ["message", undefined], ["rotation", undefined], ["phase", undefined], ["", undefined],
];
for (const [name, unit, category] of ROWS) {
	test(`quantityOf("${name}")`, () => assert.deepEqual(quantityOf(name), { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) }));
}

test("quantityOf() is quick with a long name", () => {
	const began = performance.now();
	for (const name of ["a".repeat(10_000), "rain ".repeat(2_000), "wind_".repeat(2_000), ".".repeat(10_000)]) quantityOf(name);
	assert.ok(performance.now() - began < 50);
});

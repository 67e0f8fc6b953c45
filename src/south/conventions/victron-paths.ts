// What the paths of a Victron GX mean: units, and what may be set.
// Source: https://github.com/victronenergy/venus/wiki/dbus

import type { Category } from "../../core/point.js";
import type { Unit } from "../../core/unit.js";

/** Paths of one service that mean something else there than elsewhere. */
const BY_SERVICE: Readonly<Record<string, readonly (readonly [path: RegExp, unit: Unit | undefined])[]>> = {
	tank: [[/^Level$/, "%"], [/^(?:Remaining|Capacity)$/, "m³"], [/^Temperature$/, "°C"]],
	battery: [[/^Capacity$|^InstalledCapacity$|^ConsumedAmphours$/, "Ah"], [/^TimeToGo$/, "s"]],
	gps: [[/^Speed$/, "m/s"], [/^(?:Course|Position\/(?:Latitude|Longitude))$/, "°"], [/^Altitude$/, "m"]],
	meteo: [[/^Irradiance$/, "W/m²"], [/^WindSpeed$/, "m/s"], [/^WindDirection$/, "°"]],
	temperature: [[/^Pressure$/, "hPa"]],
	evcharger: [[/^(?:Current|MaxCurrent|SetCurrent)$/, "A"], [/^ChargingTime$/, "s"]],
	genset: [[/^Engine\/Speed$/, "rpm"], [/^Engine\/Load$/, "%"]],
	motordrive: [[/^Motor\/RPM$/, "rpm"]],
	pulsemeter: [[/^Aggregate$/, "m³"]],
};

/** By the last words of a path, the same in every service. */
const RULES: readonly (readonly [path: RegExp, unit: Unit])[] = [
	[/(?:^|\/)Energy\/[^/]*$|(?:^|\/)Yield(?:\/(?:User|System))$|^History\/(?:Daily|Overall)\/.*Yield$|(?:^|\/)(?:Charged|Discharged|Dis)Energy$|^History\/(?:Charged|Discharged)Energy$/, "kWh"],
	[/(?:^|\/)\w*ApparentPower$|(?:^|\/)S$/, "VA"], [/(?:^|\/)\w*ReactivePower$|(?:^|\/)Q$/, "VAr"],
	[/(?:^|\/)\w*Power(?:Setpoint|Limit)?$|(?:^|\/)P$/, "W"],
	[/(?:^|\/)\w*Voltage$|(?:^|\/)V$/, "V"],
	[/(?:^|\/)\w*Current(?:Limit)?$|(?:^|\/)I$/, "A"],
	[/(?:^|\/)Frequency$|(?:^|\/)F$/, "Hz"],
	[/(?:^|\/)\w*Temperature$/, "°C"],
	[/(?:^|\/)(?:Soc|Soh|\w*SocLimit|MinimumSoc)$/, "%"], [/(?:^|\/)Humidity$/, "%"],
	[/(?:^|\/)\w*Capacity$/, "Ah"], [/(?:^|\/)\w*(?:AmpHours|Amphours)$/, "Ah"],
	[/(?:^|\/)(?:TimeToGo|TimeSinceLastFullCharge|Runtime|Uptime)$/, "s"], [/(?:^|\/)(?:CO2)$/, "ppm"], [/(?:^|\/)(?:PM\d+)$/, "µg/m³"], [/(?:^|\/)(?:Luminosity)$/, "lx"],
];

const IDENTITY = /(?:^|\/)(?:Serial|ProductName|ProductId|CustomName|FirmwareVersion|HardwareVersion|DeviceName|Manufacturer|ProcessName|ProcessVersion|DeviceInstance|VrmPortalId|Connection)$/;
const STATUS = /(?:^|\/)(?:State|Mode|Status|StatusCode|ErrorCode|Error|Position|Connected|Alarms?|[A-Z]\w*Alarm)$|(?:^|\/)(?:Alarms|Relay|Settings|Info|Diagnostics|Link|Mgmt)\//;

/** Unit and category of a path. */
export function placeUnit(service: string, path: string): { readonly unit?: Unit; readonly category?: Category } {
	if (IDENTITY.test(path)) return { category: "identity" };
	const own = Object.hasOwn(BY_SERVICE, service) ? BY_SERVICE[service]!.find(([pattern]) => pattern.test(path)) : undefined;
	const unit = own ? own[1] : service === "settings" ? undefined : RULES.find(([pattern]) => pattern.test(path))?.[1];
	const category = service === "settings" || STATUS.test(path) ? "status" : undefined;
	return { ...(unit !== undefined && { unit }), ...(category !== undefined && { category }) };
}

/** Paths that take a value, by service; `settings` takes all. */
const SETTABLE: Readonly<Record<string, RegExp>> = {
	vebus: /^(?:Mode|Ac\/(?:ActiveIn|In\/[12])\/CurrentLimit|Hub4\/(?:L[123]\/AcPowerSetpoint|DisableCharge|DisableFeedIn)|RunWithoutGrid)$/,
	multi: /^(?:Mode|Ac\/In\/[12]\/CurrentLimit|Ess\/\w+)$/,
	inverter: /^(?:Mode|Relay\/\d+\/State)$/,
	solarcharger: /^(?:Mode|Link\/\w+|Settings\/\w+)$/,
	charger: /^(?:Mode|Ac\/In\/CurrentLimit|Link\/\w+)$/,
	acsystem: /^(?:Mode|Ac\/In\/[12]\/CurrentLimit|Ess\/\w+)$/,
	system: /^(?:Relay\/\d+\/State|SwitchableOutput\/[^/]+\/(?:State|Dimming))$/,
	evcharger: /^(?:Mode|StartStop|SetCurrent|MaxCurrent|AutoStart|Position|EnableDisplay)$/,
	generator: /^(?:ManualStart|ManualStartTimer|AutoStartEnabled|Enabled)$/,
	genset: /^(?:Start|AutoStart)$/,
	hub4: /^(?:AcPowerSetpoint|MaxDischargePower|MaxChargePower|MaxFeedInPower|OverrideStates)$/,
	pvinverter: /^(?:Ac\/PowerLimit|Position)$/,
	dcdc: /^Mode$/, alternator: /^Mode$/, battery: /^Io\/\w+Switch$/, acload: /^Position$/,
	switch: /^SwitchableOutput\/[^/]+\/(?:State|Dimming)$/,
};

export function isSettable(service: string, path: string): boolean {
	return service === "settings" || path === "CustomName" || (Object.hasOwn(SETTABLE, service) && SETTABLE[service]!.test(path));
}

/** What sort of thing a service is. */
export function sortOf(service: string): string {
	switch (service) {
		case "battery": return "battery";
		case "solarcharger": case "charger": case "vebus": case "inverter": case "pvinverter": case "multi": return "inverter";
		case "grid": case "acload": case "genset": case "pulsemeter": return "meter";
		case "system": case "settings": return "gateway";
		default: return "sensor";
	}
}

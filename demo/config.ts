// What stands in the demo's config file, and which devices it makes.

/** A device of the demo, as the operator has it in the roster. */
export interface DemoDevice {
	/** Also the localpart of its address. */
	readonly id: string;
	readonly name: string;
	readonly group: string;
}

export const domain = "localhost";
export const things = "things.localhost";

const home = "At home, by MQTT";
const workshop = "In the workshop, by MQTT";
const cellar = "In the cellar, by serial cable";

export const devices = [
	{ id: "thermostat", name: "Living room thermostat", group: home },
	{ id: "plug", name: "Desk plug", group: home },
	{ id: "bulb", name: "Kitchen bulb", group: home },
	{ id: "window", name: "Hall window", group: home },
	{ id: "heater", name: "Hall heater", group: home },
	{ id: "shelf", name: "Shelf lights", group: home },
	{ id: "coffee", name: "Coffee machine", group: home },
	{ id: "saw", name: "Band saw", group: workshop },
	{ id: "bench", name: "Bench plug", group: workshop },
	{ id: "pump", name: "Pump house", group: workshop },
	{ id: "valve", name: "Press valve", group: workshop },
	{ id: "inverter", name: "Inverter", group: workshop },
	{ id: "probe", name: "Cellar probe", group: cellar },
	{ id: "relays", name: "Relay board", group: cellar },
	{ id: "air", name: "Air sensor", group: cellar },
	{ id: "solar", name: "Solar charger", group: cellar },
	{ id: "boat", name: "Boat in the shed", group: cellar },
] as const satisfies readonly DemoDevice[];

export type DeviceId = (typeof devices)[number]["id"];

/** The bare JID of a device. */
export function jidOf(id: DeviceId): string {
	return `${id}@${things}`;
}

export interface ConfigChoices {
	/** Folder for the gateway's own data. */
	readonly data: string;
	readonly componentPort: number;
	readonly secret: string;
	readonly brokerPort: number;
	readonly healthPort: number;
	readonly busPath: string;
	readonly airPath: string;
	readonly solarPath: string;
	readonly boatPath: string;
}

/** The text of jidway.yaml: as somebody would write it for such a house. */
export function configText({ data, componentPort, secret, brokerPort, healthPort, busPath, airPath, solarPath, boatPath }: ConfigChoices): string {
	const text = JSON.stringify; // a JSON string is a YAML string
	return `# yaml-language-server: $schema=../jidway.schema.json
version: 1
gateway: { id: demo, name: Demo house, data: ${text(data)} }
uplink: { kind: component, domain: ${things}, host: 127.0.0.1, port: ${componentPort}, secret: ${text(secret)} }
access:
  - { who: operator@${domain}, role: operator }   # whom no rule names, to him nothing is here
links:
  - { id: house, kind: mqtt, broker: { listen: "127.0.0.1:${brokerPort}" } }                  # ten dialects of MQTT, each of which announces its devices
  - { id: bus, kind: serial, path: ${text(busPath)}, baud: 9600, protocol: modbus-rtu }
  - { id: usb, kind: serial, path: ${text(airPath)}, baud: 115200, protocol: lines }
  - { id: charger, kind: serial, path: ${text(solarPath)}, baud: 19200, protocol: vedirect }
  - { id: boat, kind: serial, path: ${text(boatPath)}, baud: 4800, protocol: nmea }
devices:
  # Modbus says nothing of itself: which model is at which address must be told.
  - { id: probe, link: bus, address: 1, definition: xy-md02, name: Cellar probe, every: 2s }
  - { id: relays, link: bus, address: 2, definition: waveshare-modbus-rtu-relay-8ch, name: Relay board, every: 2s }
  - { id: air, link: usb, definition: jidway-air-sensor, name: Air sensor }
  # All the others would be here without a word. They only get shorter addresses than their serial numbers.
  - { id: thermostat, link: house, address: sim-living-room-thermostat }
  - { id: plug, link: house, address: "02005e005301" }
  - { id: bulb, link: house, address: "0x000b57fffeaa0002", name: Kitchen bulb }
  - { id: window, link: house, address: "0x00158d00aabb0003", name: Hall window }
  - { id: heater, link: house, address: heater-1 }                                  # Homie 5
  - { id: shelf, link: house, address: wled/5e0053, name: Shelf lights, points: { "on": { label: light } } } # WLED
  - { id: coffee, link: house, address: zwave/kitchen/coffee_plug, name: Coffee machine }
  - id: saw                                                                         # Tasmota
    link: house
    address: 02005e530a01
    name: Band saw
    points: { POWER: { category: momentary, label: saw }, ENERGY.TotalStartTime: { category: status }, ENERGY.Yesterday: { category: status }, ENERGY.Today: { category: status } }
  - id: bench                                                                       # Shelly, of the newer generations
    link: house
    address: shellyplugsg3-02005e530b01
    name: Bench plug
    points: { "switch:0.output": { category: momentary, label: plug } }
  - { id: pump, link: house, address: pump-house, name: Pump house }                # ESPHome
  - { id: valve, link: house, address: Plant/press-1/valve, name: Press valve }     # Sparkplug B
  - { id: inverter, link: house, address: gx/c0ffee123456/vebus/276, name: Inverter } # Victron
  - { id: solar, link: charger, address: SIM0001, name: Solar charger }
  - { id: boat, link: boat, address: boat, name: Boat in the shed }
web: { listen: "127.0.0.1:${healthPort}" }
log: { level: info }
`;
}

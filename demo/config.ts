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

const overMqtt = "At home, by MQTT";
const overSerial = "In the cellar, by serial cable";

export const devices = [
	{ id: "thermostat", name: "Living room thermostat", group: overMqtt },
	{ id: "plug", name: "Desk plug", group: overMqtt },
	{ id: "bulb", name: "Kitchen bulb", group: overMqtt },
	{ id: "window", name: "Hall window", group: overMqtt },
	{ id: "probe", name: "Cellar probe", group: overSerial },
	{ id: "relays", name: "Relay board", group: overSerial },
	{ id: "air", name: "Air sensor", group: overSerial },
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
}

/** The text of jidway.yaml: as somebody would write it for such a house. */
export function configText({ data, componentPort, secret, brokerPort, healthPort, busPath, airPath }: ConfigChoices): string {
	const text = JSON.stringify; // a JSON string is a YAML string
	return `# yaml-language-server: $schema=../jidway.schema.json
version: 1
gateway: { id: demo, name: Demo house, data: ${text(data)} }
uplink: { kind: component, domain: ${things}, host: 127.0.0.1, port: ${componentPort}, secret: ${text(secret)} }
access:
  - { who: operator@${domain}, role: operator }   # whom no rule names, to him nothing is here
links:
  - { id: house, kind: mqtt, broker: { listen: "127.0.0.1:${brokerPort}" } }                  # Home Assistant discovery and Zigbee2MQTT announce themselves
  - { id: bus, kind: serial, path: ${text(busPath)}, baud: 9600, protocol: modbus-rtu }
  - { id: usb, kind: serial, path: ${text(airPath)}, baud: 115200, protocol: lines }
devices:
  # Modbus says nothing of itself: which model is at which address must be told.
  - { id: probe, link: bus, address: 1, definition: xy-md02, name: Cellar probe, every: 2s }
  - { id: relays, link: bus, address: 2, definition: waveshare-modbus-rtu-relay-8ch, name: Relay board, every: 2s }
  - { id: air, link: usb, definition: jidway-air-sensor, name: Air sensor }
  # These four would be here without a word. They only get shorter addresses than their serial numbers.
  - { id: thermostat, link: house, address: sim-living-room-thermostat }
  - { id: plug, link: house, address: "02005e005301" }
  - { id: bulb, link: house, address: "0x000b57fffeaa0002", name: Kitchen bulb }
  - { id: window, link: house, address: "0x00158d00aabb0003", name: Hall window }
web: { listen: "127.0.0.1:${healthPort}" }
log: { level: info }
`;
}

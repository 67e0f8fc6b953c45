// What Zigbee2MQTT 2.x tells of the two simulated Zigbee devices in `bridge/devices`, and of itself in `bridge/info`. Data alone.
// Sources: https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html (zigbee2mqtt/bridge/devices, zigbee2mqtt/bridge/info),
// https://www.zigbee2mqtt.io/guide/usage/exposes.html, https://www.zigbee2mqtt.io/devices/LED1545G12.html

/** Bits of `access` (exposes.html, "access"): in the state, settable, gettable. */
const STATE = 1;
const SET = 2;
const ALL = 7;

const LINK_QUALITY = {
	access: STATE,
	category: "diagnostic",
	description: "Link quality (signal strength)",
	label: "Linkquality",
	name: "linkquality",
	property: "linkquality",
	type: "numeric",
	unit: "lqi",
	value_max: 255,
	value_min: 0,
};

function measured(name: string, unit: string, description: string): Record<string, unknown> {
	return { access: STATE, description, label: `${name[0]?.toUpperCase()}${name.slice(1)}`, name, property: name, type: "numeric", unit };
}

/** What never changes about a device: its element of `bridge/devices` without the name. */
export interface Z2mModel {
	readonly ieee_address: string;
	readonly [key: string]: unknown;
}

export const COORDINATOR: Z2mModel = {
	disabled: false,
	endpoints: { 1: { bindings: [], clusters: { input: [], output: [] }, configured_reportings: [], scenes: [] } },
	ieee_address: "0x00124b00aabb0001",
	interview_completed: true,
	interview_state: "SUCCESSFUL",
	interviewing: false,
	network_address: 0,
	supported: true,
	type: "Coordinator",
};

export const BULB: Z2mModel = {
	date_code: "20180410",
	definition: {
		description: "TRADFRI bulb E26/E27, white spectrum, globe, opal, 980 lm",
		exposes: [
			{
				features: [
					{
						access: ALL,
						description: "On/off state of this light",
						label: "State",
						name: "state",
						property: "state",
						type: "binary",
						value_off: "OFF",
						value_on: "ON",
						value_toggle: "TOGGLE",
					},
					{
						access: ALL,
						description: "Brightness of this light",
						label: "Brightness",
						name: "brightness",
						property: "brightness",
						type: "numeric",
						value_max: 254,
						value_min: 0,
					},
					{
						access: ALL,
						description: "Color temperature of this light",
						label: "Color temp",
						name: "color_temp",
						presets: [
							{ description: "Coolest temperature supported", name: "coolest", value: 250 },
							{ description: "Warmest temperature supported", name: "warmest", value: 454 },
						],
						property: "color_temp",
						type: "numeric",
						unit: "mired",
						value_max: 454,
						value_min: 250,
					},
				],
				type: "light",
			},
			{
				access: SET,
				description: "Triggers an effect on the light (e.g. make light blink for a few seconds)",
				label: "Effect",
				name: "effect",
				property: "effect",
				type: "enum",
				values: ["blink", "breathe", "okay", "channel_change", "finish_effect", "stop_effect"],
			},
			{
				access: ALL,
				category: "config",
				description: "Controls the behavior when the device is powered on after power loss",
				label: "Power-on behavior",
				name: "power_on_behavior",
				property: "power_on_behavior",
				type: "enum",
				values: ["off", "on", "toggle", "previous"],
			},
			LINK_QUALITY,
		],
		model: "LED1545G12",
		options: [],
		source: "native",
		supports_ota: true,
		vendor: "IKEA",
	},
	disabled: false,
	endpoints: {
		1: {
			bindings: [],
			clusters: { input: ["genBasic", "genScenes", "genOnOff", "genLevelCtrl", "lightingColorCtrl"], output: ["genScenes", "genOta"] },
			configured_reportings: [],
			scenes: [],
		},
	},
	ieee_address: "0x000b57fffeaa0002",
	interview_completed: true,
	interview_state: "SUCCESSFUL",
	interviewing: false,
	manufacturer: "IKEA of Sweden",
	model_id: "TRADFRI bulb E27 WS opal 980lm",
	network_address: 40369,
	power_source: "Mains (single phase)",
	software_build_id: "1.2.217",
	supported: true,
	type: "Router",
};

/** A window contact with a climate chip. Nobody sells it under a definition of its own, so the bridge generated one. */
export const SENSOR: Z2mModel = {
	definition: {
		description: "Automatically generated definition",
		exposes: [
			{
				access: STATE,
				category: "diagnostic",
				description: "Remaining battery in %, can take up to 24 hours before reported",
				label: "Battery",
				name: "battery",
				property: "battery",
				type: "numeric",
				unit: "%",
				value_max: 100,
				value_min: 0,
			},
			measured("temperature", "°C", "Measured temperature value"),
			measured("humidity", "%", "Measured relative humidity"),
			{
				access: STATE,
				description: "Indicates if the contact is closed (= true) or open (= false)",
				label: "Contact",
				name: "contact",
				property: "contact",
				type: "binary",
				value_off: true,
				value_on: false,
			},
			LINK_QUALITY,
		],
		model: "WC-TH2",
		options: [],
		source: "generated",
		supports_ota: false,
		vendor: "Example Instruments",
	},
	disabled: false,
	endpoints: {
		1: {
			bindings: [],
			clusters: { input: ["genBasic", "genPowerCfg", "msTemperatureMeasurement", "msRelativeHumidity", "ssIasZone"], output: [] },
			configured_reportings: [],
			scenes: [],
		},
	},
	ieee_address: "0x00158d00aabb0003",
	interview_completed: true,
	interview_state: "SUCCESSFUL",
	interviewing: false,
	manufacturer: "Example Instruments",
	model_id: "WC-TH2",
	network_address: 6538,
	power_source: "Battery",
	supported: false,
	type: "EndDevice",
};

/** `bridge/info`, without the config schema, which is 100 kB in real life. */
export function bridgeInfo(base: string): Record<string, unknown> {
	return {
		commit: "abc1234",
		config: { availability: { enabled: true }, homeassistant: { enabled: false }, mqtt: { base_topic: base }, permit_join: false },
		coordinator: { ieee_address: COORDINATOR.ieee_address, meta: { revision: 20240710 }, type: "ZStack3x0" },
		log_level: "info",
		network: { channel: 11, extended_pan_id: "0xdddddddddddddddd", pan_id: 6754 },
		permit_join: false,
		restart_required: false,
		version: "2.6.0",
		zigbee_herdsman: { version: "6.0.0" },
		zigbee_herdsman_converters: { version: "25.0.0" },
	};
}

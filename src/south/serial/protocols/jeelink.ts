// JeeLink with the LaCrosseITPlusReader sketch: thermometers of the LaCrosse IT+ family
// Source: LaCrosseITPlusReader sketch and FHEM module 36_LaCrosse.pm, https://wiki.fhem.de/wiki/JeeLink
// Version: LaCrosseITPlusReader 10.1s

import { shifted } from "../../codec/places.js";
import { type Meaning, NOTHING } from "../../meaning.js";
import { DeviceBook, numeric, text, truth } from "../device-book.js";
import { LineFramer } from "../lines.js";
import type { Cut, SerialProtocol, Talk, TalkOptions } from "../protocol.js";

/** Bytes of humidity with which a thermometer says that it has no hygrometer. */
const NO_HUMIDITY: readonly number[] = [106, 125];
/** What a probe can measure, in tenths: beyond is a transmission that was damaged. */
const [COLDEST, HOTTEST] = [-400, 850];

/** Its thermometers have short numbers: with the link before it, an id is of this receiver alone. */
class JeeLinkTalk implements Talk {
	readonly #options: TalkOptions;
	readonly #book = new DeviceBook();

	constructor(options: TalkOptions) {
		this.#options = options;
	}

	framer(): LineFramer {
		return new LineFramer();
	}

	decode(cut: Cut): Meaning {
		if (cut.kind !== "line") return NOTHING;
		const line = cut.text.trim();
		const banner = /^\[([A-Za-z]\w{2,40})\.(\d[\w.]{0,20})(?:\s[^\]]{0,100})?\]$/.exec(line);
		if (banner) {
			const address = `${this.#options.link}-jeelink`;
			const [, name, version] = banner;
			const meaning = this.#book.hear({ address, aliases: [this.#options.address], name: name!, firmware: version!, type: "gateway" }, [{ point: "name", as: text("identity"), value: name! }, { point: "version", as: text("identity"), value: version! }]);
			return { ...meaning, states: [{ address, state: "online" }] };
		}
		// OK 9 id type hi lo humidity, decimal bytes
		const match = /^OK 9 (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3})$/.exec(line);
		const bytes = match?.slice(1).map(Number) ?? [];
		if (!match || bytes.some((byte) => byte > 255)) {
			// Other sensors of the same receiver have other layouts; they are no fault.
			return /^(OK [A-Z0-9]+ |\[|\d+[a-z]|#)/.test(line) ? NOTHING : { misfits: [{ where: this.#options.address, reason: "a line that is no sensor's", sample: line.slice(0, 120) }] };
		}
		const [id, type, high, low, last] = bytes as [number, number, number, number, number];
		const probe = type & 0x7f;
		const tenths = high * 256 + low - 1_000;
		const humidity = last & 0x7f;
		const temperature = tenths >= COLDEST && tenths <= HOTTEST ? shifted(tenths, 1) : undefined;
		const moist = NO_HUMIDITY.includes(humidity) || humidity > 100 ? undefined : shifted(humidity);
		return this.#book.hear({ address: `${this.#options.link}-${id}`, aliases: [String(id)], name: `LaCrosse ${id}`, type: "sensor" }, [
			...(temperature ? [{ point: probe === 2 ? "temperature2" : "temperature", as: numeric("°C"), value: temperature }] : []),
			...(moist ? [{ point: probe === 2 ? "humidity2" : "humidity", as: numeric("%"), value: moist }] : []),
			{ point: "new_battery", as: truth(), value: (type & 0x80) !== 0 },
			{ point: "low_battery", as: truth(), value: (last & 0x80) !== 0 },
		]);
	}
}

export const JEELINK: SerialProtocol = {
	name: "jeelink",
	alias: "jeelink-lacrosse",
	title: "JeeLink LaCrosse receiver",
	many: true,
	modes: [{ baud: 57_600 }],
	claims: (cut) => cut.kind === "line" && /^(OK 9 (\d{1,3} ){4}\d{1,3}|\[LaCrosse.*\])$/.test(cut.text.trim()),
	talk: (options) => new JeeLinkTalk(options),
};

// Waveshare Modbus RTU Relay, eight channels.
// Source: https://www.waveshare.com/wiki/Modbus_RTU_Relay, section "Development Protocol V2"
import type { SimClock } from "./clock.js";
import { ILLEGAL_VALUE, type Cell, type ModbusUnit } from "./modbus-slave.js";

export interface RelayBoardOptions {
	/** 1 (as sold) to 247. The wiki allows 255; the standard does not. */
	readonly address?: number;
	/** Needed for the two flash commands alone. */
	readonly clock: SimClock;
}

const CHANNELS = 8;
/** The coil that means all of them. */
const ALL = 0x00ff;
/** Function 5: turn a relay over. */
const TOGGLE = 0x5500;
const FLASH_ON = 0x0200;
const FLASH_OFF = 0x0400;
/** The unit of the flash interval. */
const FLASH_MS = 100;
/** Register 0x8000: 200 is V2.00. */
const VERSION = 0x00c8;

/**
 * The relay board.
 *
 *     coils   0x0000–0x0007  the relays, functions 1, 5 (FF00 on, 0000 off, 5500 turns over) and 15
 *             0x00FF         all relays, function 5 only
 *     func. 5 0x0200 + n     relay n on for value × 100 ms, 0x0400 + n off for value × 100 ms
 *     holding 0x2000         parity (high byte) and rate (low byte)    0x4000  address    0x8000  version, read only
 *
 * The two settings go by function 6 to address 0 too, and a read by function 3 of address 0 is answered: so one finds a lost address.
 */
export class RelayBoard implements ModbusUnit {
	readonly functions = [1, 3, 5, 6, 15];
	readonly answersBroadcastReads = true;
	/** Channels whose contacts are welded: they take the command, answer, and do not move. */
	readonly stuck = new Set<number>();
	silent = false;
	readonly coils: ReadonlyMap<number, Cell<boolean>>;
	readonly holdingRegisters: ReadonlyMap<number, Cell<number>>;

	readonly #relays: boolean[] = Array.from({ length: CHANNELS }, () => false);
	readonly #flashes = new Map<number, () => void>();
	readonly #clock: SimClock;
	#address: number;
	#uart = 0x0001; // no parity, 9600

	constructor({ address = 1, clock }: RelayBoardOptions) {
		this.#address = address;
		this.#clock = clock;
		this.coils = new Map(
			this.#relays.map((_, channel) => [
				channel,
				{
					read: () => this.#relays[channel] ?? false,
					write: (on: boolean) => {
						this.#flashes.get(channel)?.();
						this.switch(channel, on);
						return undefined;
					},
				},
			]),
		);
		this.holdingRegisters = new Map<number, Cell<number>>([
			[
				0x2000,
				{
					read: () => this.#uart,
					write: (value) => {
						if (value >> 8 > 2 || (value & 0xff) > 7) return ILLEGAL_VALUE;
						this.#uart = value;
						return undefined;
					},
				},
			],
			[
				0x4000,
				{
					read: () => this.#address,
					write: (value) => {
						if (value < 1 || value > 247) return ILLEGAL_VALUE;
						this.#address = value;
						return undefined;
					},
				},
			],
			[0x8000, { read: () => VERSION }],
		]);
	}

	get address(): number {
		return this.#address;
	}

	/** Which contacts are closed. */
	get state(): readonly boolean[] {
		return [...this.#relays];
	}

	/** Move a contact, as its coil would, or as somebody with a finger does. */
	switch(channel: number, on: boolean): void {
		if (channel in this.#relays && !this.stuck.has(channel)) this.#relays[channel] = on;
	}

	/** The four commands of function 5 that the standard does not have. */
	special(pdu: Uint8Array): Uint8Array | undefined {
		if (pdu[0] !== 5) return undefined;
		const coil = ((pdu[1] ?? 0) << 8) | (pdu[2] ?? 0);
		const value = ((pdu[3] ?? 0) << 8) | (pdu[4] ?? 0);
		const channels = coil === ALL ? [...this.#relays.keys()] : coil < CHANNELS ? [coil] : [];
		if (value === TOGGLE || coil === ALL) {
			if (channels.length === 0) return undefined;
			if (value !== TOGGLE && value !== 0xff00 && value !== 0) return Uint8Array.of(0x85, ILLEGAL_VALUE);
			for (const channel of channels) this.coils.get(channel)?.write?.(value === TOGGLE ? !this.#relays[channel] : value === 0xff00);
			return pdu;
		}
		const channel = coil & 0xff;
		const on = coil - channel === FLASH_ON;
		if ((!on && coil - channel !== FLASH_OFF) || channel >= CHANNELS) return undefined;
		this.#flashes.get(channel)?.();
		this.switch(channel, on);
		this.#flashes.set(channel, this.#clock.after(value * FLASH_MS, () => this.switch(channel, !on)));
		return pdu;
	}
}

// Starts everything that both modes of the demo need, on loopback alone, and takes it all away again.

import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, makeFolder, type Program, removeFolder, startProgram, tailOf, waitUntil } from "../test/live/servers/processes.js";
import { startProsody } from "../test/live/servers/prosody.js";
import type { XmppServer } from "../test/live/servers/server.js";
import { configText, devices, domain, jidOf, things } from "./config.js";
import { House } from "./house.js";
import { child } from "./stanza.js";
import { explain, type Login, XmppClient } from "./xmpp-client.js";

/** The running demo. */
export interface Stage {
	readonly house: House;
	readonly configFile: string;
	readonly config: string;
	/** Whom the access rule names. */
	readonly operator: Login;
	/** Whom no rule names. */
	readonly stranger: Login;
	readonly brokerUrl: string;
	/** Of Prosody's WebSocket. */
	readonly webSocketPort: number;
	/** Resolves with what ended by itself: Prosody or the gateway. Never, if all goes well. */
	readonly broken: Promise<string>;
	gatewayLog(lines?: number): string;
	/** Ends the gateway politely (SIGTERM), and says how it ended: "exit code 0". */
	endGateway(): Promise<string>;
	/** May be called twice. */
	stop(): Promise<void>;
}

const bin = fileURLToPath(new URL("../bin/jidway.js", import.meta.url));
/** A Raspberry Pi with a slow card needs some ten. */
const READY_WITHIN_MS = 60_000;

/**
 * Starts a private Prosody, the house, the gateway by its real command, and subscribes the operator to every device.
 * @param folder for the config file and the gateway's log; exists
 * @param tell is told each thing that stands
 * @param signal gives it up; what stands by then is taken away
 */
export async function startStage(folder: string, tell: (line: string) => void, signal: AbortSignal): Promise<Stage> {
	const stops: (() => unknown)[] = [];
	const stop = async (): Promise<void> => {
		// In the reverse order: the gateway takes its leave of a server that is still there.
		for (const undo of stops.splice(0).reverse()) await undo();
	};
	const log = join(folder, "gateway.log");
	const gatewayLog = (lines = 30): string => tailOf(log, lines);
	const stands = (line: string): void => {
		tell(line);
		signal.throwIfAborted();
	};
	try {
		const secret = newSecret();
		const [operator, stranger] = ["operator", "stranger"].map((name) => ({ name, password: newSecret() })) as [Account, Account];
		const prosody = await startProsody({ host: domain, users: [operator, stranger], components: [{ domain: things, secret }], http: true });
		stops.push(() => prosody.stop());
		stands(`Prosody, the XMPP server       port ${prosody.c2sPort}, users operator and stranger, component ${things}`);

		const [brokerPort, healthPort] = [await freePort(), await freePort()];
		const brokerUrl = `mqtt://127.0.0.1:${brokerPort}`;
		const house = await House.build(brokerUrl);
		stops.push(() => house.stop());
		stands(`four serial ports (socat)      ${[house.busPath, house.airPath, house.solarPath, house.boatPath].join(", ")}`);

		// Not in `folder`: the path of the gateway's socket must be short, wherever the clone is.
		const data = makeFolder("demo");
		stops.push(() => removeFolder(data));
		const config = configText({ data, componentPort: prosody.componentPort, secret, brokerPort, healthPort, busPath: house.busPath, airPath: house.airPath, solarPath: house.solarPath, boatPath: house.boatPath });
		const configFile = join(folder, "jidway.yaml");
		writeFileSync(configFile, config, { mode: 0o600 });
		const gateway = await startProgram(process.execPath, [bin, "run", "-c", configFile], { cwd: folder, logFile: log });
		stops.push(() => gateway.stop());
		await waitUntil("the gateway to be ready", () => isReady(healthPort, signal), { withinMs: READY_WITHIN_MS, program: gateway, logTail: gatewayLog });
		stands(`the gateway                    jidway run -c ${configFile}`);
		stands(`  its embedded MQTT broker     ${brokerUrl}`);

		await house.connect();
		stands(`${devices.length} simulated devices           ${devices.map(({ id }) => id).join(", ")}`);

		const login = ({ name, password }: Account, resource: string): Login => ({ port: prosody.c2sPort, domain, user: name, password, resource });
		await fillRoster(login(operator, "setup"), gatewayLog);
		stands("the operator's contact list    one contact for each device");

		const watched = watch(prosody, gateway);
		stops.push(() => watched.forget());
		return {
			house, configFile, config, brokerUrl, gatewayLog, stop,
			operator: login(operator, "desk"),
			stranger: login(stranger, "street"),
			webSocketPort: prosody.httpPort ?? 0,
			broken: watched.broken,
			endGateway: async () => {
				watched.forget();
				await gateway.stop();
				return gateway.ended;
			},
		};
	} catch (error) {
		await stop();
		throw error;
	}
}

interface Account {
	readonly name: string;
	readonly password: string;
}

function newSecret(): string {
	return randomBytes(18).toString("base64url");
}

/** /readyz says so when the uplink is online and every link is up. */
async function isReady(port: number, signal: AbortSignal): Promise<boolean> {
	signal.throwIfAborted();
	try {
		return (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
	} catch {
		return false; // not listening yet
	}
}

/** What a person does by hand: waits until the gateway lists the devices, and adds each one to the contacts. */
async function fillRoster(login: Login, gatewayLog: () => string): Promise<void> {
	const client = await XmppClient.login(login);
	try {
		const items = async (): Promise<readonly string[]> => {
			const answer = await client.ask("get", things, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
			if (answer.attrs["type"] !== "result") throw new Error(`Cannot list the devices of "${things}": ${explain(answer)}`);
			return (child(answer, "query")?.children ?? []).map((item) => (typeof item === "string" ? "" : (item.attrs["jid"] ?? "").split("/")[0] ?? ""));
		};
		await waitUntil("the gateway to list every device", async () => {
			const found = await items();
			return devices.every(({ id }) => found.includes(jidOf(id)));
		}, { withinMs: 20_000, logTail: gatewayLog });
		await client.roster();
		await client.ask("set", undefined, "<vCard xmlns='vcard-temp'><FN>Operator</FN></vCard>");
		for (const { id, name, group } of [...devices, { id: undefined, name: "Demo house gateway", group: "Gateway" }]) {
			const jid = id === undefined ? things : jidOf(id);
			const since = client.mark;
			await client.add({ jid, name, group });
			const answer = await client.until(`${jid} to let us see it`, ({ name: kind, attrs }) => kind === "presence" && attrs["from"] === jid && ["subscribed", "unsubscribed", "error"].includes(attrs["type"] ?? ""), { since });
			if (answer.attrs["type"] !== "subscribed") throw new Error(`Cannot subscribe to "${jid}": it said "${answer.attrs["type"] ?? ""}"`);
		}
	} finally {
		await client.close();
	}
}

/** `broken` settles when a part that should go on has ended, unless that was meant. */
function watch(prosody: XmppServer, gateway: Program): { readonly broken: Promise<string>; forget(): void } {
	const pid = prosody.pid();
	const stopped = new AbortController();
	const broken = new Promise<string>((resolve) => {
		const look = setInterval(() => {
			if (!gateway.running()) void gateway.ended.then((how) => resolve(`the gateway ended by itself (${how})`));
			else if (!isAlive(pid)) resolve("Prosody ended by itself");
		}, 250);
		stopped.signal.addEventListener("abort", () => clearInterval(look), { once: true });
	});
	return { broken, forget: () => stopped.abort() };
}

function isAlive(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch {
		return false;
	}
}

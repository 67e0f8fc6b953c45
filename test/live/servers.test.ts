import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { SerialPort } from "serialport";
import { startEjabberd } from "./servers/ejabberd.js";
import { startMosquitto } from "./servers/mosquitto.js";
import { accepts, freePort, runCommand, waitUntil } from "./servers/processes.js";
import { startProsody } from "./servers/prosody.js";
import { startPty, startPtyPair } from "./servers/pty.js";
import type { XmppServer, XmppServerOptions } from "./servers/server.js";

const component = { domain: "iot.localhost", secret: 'se"cret & ünï' };
const romeo = { name: "romeo", password: 'pä"ss\\word' };
const asked: XmppServerOptions = { components: [component], users: [romeo, { name: "o-brien.2", password: "x" }], rooms: "rooms.localhost", http: true, tls: true };

for (const [name, start] of [["Prosody", startProsody], ["ejabberd", startEjabberd]] as const) {
	describe(name, () => {
		let server: XmppServer;
		before(async () => {
			server = await start(asked);
		});
		after(async () => server.stop());

		test("admits a component by its secret (XEP-0114), and no other", async () => {
			const admitted = await handshake(server, component.secret);
			admitted.end();
			await assert.rejects(handshake(server, "wrong"), /not-authorized/);
		});

		test("knows the users that were asked for, by their passwords and no other", async () => {
			for (const user of asked.users ?? []) (await login(server, user)).end();
			await assert.rejects(login(server, { ...romeo, password: "wrong" }), /not-authorized/);
		});

		test("carries a message from the component to a user", async () => {
			const user = await login(server, romeo);
			user.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>phone</resource></bind></iq>");
			await user.until(/<jid>romeo@localhost\/phone<\/jid>/);
			const device = await handshake(server, component.secret);
			device.send("<message from='boiler@iot.localhost' to='romeo@localhost/phone' type='chat'><body>21.5 °C</body></message>");
			assert.match(await user.until(/<\/message>/), /from=.boiler@iot\.localhost.*<body>21\.5 °C<\/body>/s);
			user.end();
			device.end();
		});

		test("hosts the conference service that was asked for", async () => {
			const device = await handshake(server, component.secret);
			device.send("<iq type='get' id='d' from='iot.localhost' to='rooms.localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
			await device.until(/http:\/\/jabber\.org\/protocol\/muc/);
			device.end();
		});

		test("offers STARTTLS with a certificate of its authority", async () => {
			const raw = await open(server.c2sPort);
			raw.send("<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>");
			await raw.until(/<starttls/);
			raw.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
			await raw.until(/<proceed/);
			const secure = connectTls({ socket: raw.release(), servername: "localhost", ca: readFileSync(server.caFile ?? "") });
			await new Promise<void>((resolve, reject) => secure.once("secureConnect", resolve).once("error", reject));
			assert.equal(secure.authorized, true);
			secure.destroy();
		});

		test("opens a WebSocket for a page of any origin (RFC 7395)", async () => {
			const page = await open(server.httpPort ?? 0);
			page.send("GET /xmpp-websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n");
			assert.match(await page.until(/\r\n\r\n/), /^HTTP\/1\.1 101 [^]*Sec-WebSocket-Protocol: ?xmpp\r\n/i);
			page.end();
		});

		test("says nothing while frozen, and goes on when thawed", async () => {
			const device = await handshake(server, component.secret);
			server.freeze();
			device.send("<iq type='get' id='p' from='iot.localhost' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
			await assert.rejects(device.until(/<iq/, 300), /nothing that matches/);
			server.thaw();
			await device.until(/<iq[^>]+id=.p/);
			device.end();
		});

		test("comes back on its ports with its users after halt() and after kill()", async () => {
			const device = await handshake(server, component.secret);
			await server.halt();
			// Neither server says </stream:stream> to a component, however politely it is ended.
			assert.equal(await device.closed, "");
			await server.restart();
			const again = await handshake(server, component.secret);
			await server.kill();
			assert.equal(await again.closed, "");
			await server.restart();
			(await login(server, romeo)).end();
		});

		test("leaves no process, no port and no folder after stop()", async () => {
			const ours = processesOfSession(server.pid());
			assert.ok(ours.length > 0);
			await server.stop();
			await waitUntil("the last process to go", () => processesOfSession(server.pid()).length === 0, { withinMs: 2000 });
			assert.equal(existsSync(server.dataDir), false);
			assert.equal(await accepts(server.componentPort), false);
			await server.stop();
		});
	});
}

test("two ejabberd run side by side, and no epmd with them", async () => {
	const [one, two] = await Promise.all([startEjabberd({ components: [component] }), startEjabberd({ components: [component] })]);
	try {
		for (const server of [one, two]) (await handshake(server, component.secret)).end();
		// An epmd of ours would have our folder as its home; this machine's own is no matter.
		assert.deepEqual(processes().filter((one) => /(^|\/)epmd\b/.test(one.commandLine) && one.environment.includes("/jidway-ejabberd-")), []);
	} finally {
		await Promise.all([one.stop(), two.stop()]);
	}
});

test("a server that cannot start fails with its own words, and leaves nothing", async () => {
	await assert.rejects(startMosquitto({ extra: "nonsense 1" }), (error: Error) => {
		assert.match(error.message, /^Cannot wait any longer for Mosquitto[^]*nonsense/);
		return true;
	});
	await assert.rejects(startProsody({ extra: "this is no Lua" }), /Cannot wait any longer for Prosody[^]*prosody\.cfg\.lua/);
});

test("a server dies with the process that started it, even if that is killed", async () => {
	const script = `import { startProsody } from "./servers/prosody.js"; startProsody().then((server) => console.log(server.pid(), server.c2sPort, server.dataDir));`;
	const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script.replace("./servers/prosody.js", new URL("./servers/prosody.js", import.meta.url).href)], { stdio: ["ignore", "pipe", "inherit"] });
	const line = await new Promise<string>((resolve, reject) => {
		parent.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
		parent.once("exit", () => reject(new Error("Cannot go on: the process ended before it had started Prosody")));
	});
	const [pid = 0, port = 0] = line.split(" ").map(Number);
	const folder = line.trim().split(" ")[2] ?? "";
	assert.equal(await accepts(port), true);
	parent.kill("SIGKILL");
	await waitUntil("Prosody to die", () => processesOfSession(pid).length === 0, { withinMs: 2000 });
	assert.equal(await accepts(port), false);
	// A killed process cannot remove its folder.
	assert.match(folder, /\/jidway-prosody-/);
	runCommand("rm", ["-r", folder]);
});

test("freePort() never gives the same port twice, to whichever process", async () => {
	const ports = await Promise.all(Array.from({ length: 20 }, freePort));
	assert.equal(new Set(ports).size, 20);
	// A process that begins its search where this one did.
	const script = `import { freePort } from ${JSON.stringify(new URL("./servers/processes.ts", import.meta.url).href)}; Object.defineProperty(process, "pid", { value: ${process.pid} }); console.log(await freePort());`;
	const other = Number(runCommand(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]));
	assert.ok(other >= 20_000 && !ports.includes(other), `${other} of ${ports.join(", ")}`);
});

describe("Mosquitto", () => {
	const user = { name: "sensor", password: "p ü:x" };

	test("carries a message, and keeps a retained one over restart()", async () => {
		const broker = await startMosquitto({ persistence: true });
		try {
			const to = ["-h", "127.0.0.1", "-p", String(broker.port), "-t", "a/b"];
			runCommand("mosquitto_pub", [...to, "-m", "hello", "-r", "-q", "1"]);
			assert.equal(runCommand("mosquitto_sub", [...to, "-C", "1", "-W", "5"]), "hello\n");
			await broker.restart();
			assert.equal(runCommand("mosquitto_sub", [...to, "-C", "1", "-W", "5"]), "hello\n");
		} finally {
			await broker.stop();
		}
		assert.deepEqual(processesOfSession(broker.pid()), []);
		assert.equal(existsSync(broker.dataDir), false);
	});

	test("admits by TLS and password those who were asked for", async () => {
		const broker = await startMosquitto({ users: [user], tls: true });
		try {
			const publish = (password: string): string => runCommand("mosquitto_pub", ["-h", "localhost", "-p", String(broker.port), "--cafile", broker.caFile ?? "", "-u", user.name, "-P", password, "-t", "a", "-m", "b", "-q", "1"]);
			publish(user.password);
			assert.throws(() => publish("wrong"), /not authori[sz]ed/i);
		} finally {
			await broker.stop();
		}
	});
});

describe("a pseudo-terminal", () => {
	test("carries all 256 bytes unchanged both ways, also after the gateway has closed and opened it again", async () => {
		const pty = await startPty();
		try {
			const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
			for (let round = 0; round < 3; round++) {
				const port = await openSerial(pty.path);
				pty.peer.write(all);
				assert.deepEqual(await read(port, 256), all);
				port.write(all);
				assert.deepEqual(await read(pty.peer, 256), all);
				await new Promise<void>((resolve) => port.close(() => resolve()));
			}
		} finally {
			await pty.stop();
		}
		assert.equal(existsSync(pty.path), false);
	});

	test("vanishes when unplugged, ends for whoever has it open, and works again when replugged", async () => {
		const pty = await startPty();
		try {
			// Not by SerialPort: it reads the end of a line for ever, without saying so, if the plug is pulled while it is not waiting for bytes.
			const handle = openSync(pty.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
			assert.throws(() => readSync(handle, Buffer.alloc(1)), /EAGAIN/);
			await pty.unplug();
			assert.equal(existsSync(pty.path), false);
			assert.equal(readSync(handle, Buffer.alloc(1)), 0);
			closeSync(handle);
			pty.peer.write("lost");
			await assert.rejects(openSerial(pty.path), /No such file/);

			await pty.replug();
			const again = await openSerial(pty.path);
			again.write("back");
			assert.equal(String(await read(pty.peer, 4)), "back");
			pty.peer.write("here");
			assert.equal(String(await read(again, 4)), "here");
			await new Promise<void>((resolve) => again.close(() => resolve()));
		} finally {
			await pty.stop();
		}
	});

	test("in a pair is the other one's far end", async () => {
		const pair = await startPtyPair();
		try {
			const [a, b] = [await openSerial(pair.a), await openSerial(pair.b)];
			a.write("ping");
			assert.equal(String(await read(b, 4)), "ping");
			b.write("pong");
			assert.equal(String(await read(a, 4)), "pong");
			await Promise.all([a, b].map((port) => new Promise<void>((resolve) => port.close(() => resolve()))));
		} finally {
			await pair.stop();
		}
		assert.equal(existsSync(pair.a), false);
	});
});

/** A text connection that is driven by hand. */
interface Line {
	send(text: string): void;
	/** What was received since the last call, up to and with the match. @throws {Error} with what came instead, when time is up or the peer has closed */
	until(pattern: RegExp, withinMs?: number): Promise<string>;
	/** Settles when the peer has closed, with what was not yet read. */
	readonly closed: Promise<string>;
	/** Gives the socket away. */
	release(): Socket;
	end(): void;
}

async function open(port: number): Promise<Line> {
	const socket = connect({ host: "127.0.0.1", port });
	await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
	let received = "";
	let over = false;
	const take = (chunk: Buffer): void => {
		received += chunk.toString("latin1"); // Bytes, so that no character is cut in two.
	};
	socket.on("data", take);
	socket.on("error", () => undefined);
	const closed = new Promise<string>((resolve) => {
		socket.once("close", () => {
			over = true;
			resolve(received);
		});
	});
	return {
		send: (text) => socket.write(text),
		until: async (pattern, withinMs = 5000) => {
			const text = (): string => Buffer.from(received, "latin1").toString();
			await waitUntil("an answer", () => over || pattern.test(text()), { withinMs }).catch(() => undefined);
			const all = text();
			const found = pattern.exec(all);
			if (found === null) throw new Error(`Cannot find ${String(pattern)}: nothing that matches in "${all}"`);
			const end = found.index + found[0].length;
			received = Buffer.from(all.slice(end)).toString("latin1");
			return all.slice(0, end);
		},
		closed,
		release: () => {
			socket.off("data", take);
			return socket;
		},
		end: () => socket.destroy(),
	};
}

/** XEP-0114: Jabber Component Protocol, section 3. @throws {Error} with the server's answer, if that is no */
async function handshake(server: XmppServer, secret: string): Promise<Line> {
	const line = await open(server.componentPort);
	line.send(`<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='${component.domain}'>`);
	const id = /\bid=['"]([^'"]+)['"]/.exec(await line.until(/<stream:stream[^>]+>/))?.[1] ?? "";
	line.send(`<handshake>${createHash("sha1").update(id + secret).digest("hex")}</handshake>`);
	await line.until(/<handshake(\s[^>]*)?(\/>|><\/handshake>)/);
	return line;
}

/** RFC 6120 and RFC 4616: SASL PLAIN. @throws {Error} with the server's answer, if that is no */
async function login(server: XmppServer, user: { name: string; password: string }): Promise<Line> {
	const header = `<?xml version='1.0'?><stream:stream to='${server.host}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
	const line = await open(server.c2sPort);
	line.send(header);
	await line.until(/<mechanism>PLAIN<\/mechanism>[^]*<\/stream:features>/);
	line.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${user.name}\0${user.password}`).toString("base64")}</auth>`);
	const answer = await line.until(/<success[^>]*>|<failure[^]*<\/failure>/);
	if (answer.includes("<failure")) throw new Error(`Cannot log in: ${answer}`);
	line.send(header);
	await line.until(/<bind[^]*<\/stream:features>/);
	return line;
}

async function openSerial(path: string): Promise<SerialPort> {
	const port = new SerialPort({ path, baudRate: 9600, autoOpen: false });
	port.on("error", () => undefined);
	await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
	return port;
}

/** Reads exactly `count` bytes. */
async function read(stream: NodeJS.ReadableStream, count: number): Promise<Buffer> {
	const chunks: Buffer[] = [];
	const take = (chunk: Buffer): void => void chunks.push(chunk);
	stream.on("data", take);
	try {
		await waitUntil(`${count} bytes`, () => Buffer.concat(chunks).length >= count, { withinMs: 3000, logTail: () => Buffer.concat(chunks).toString("hex") });
	} finally {
		stream.off("data", take);
	}
	return Buffer.concat(chunks);
}

/** The live processes of a session, by their command lines; a server's session has the number of its first process. */
function processesOfSession(session: number): string[] {
	return processes().filter((one) => one.session === session).map((one) => one.commandLine);
}

function processes(): { session: number; commandLine: string; environment: string }[] {
	return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
		try {
			const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
			// proc(5): "pid (name) state ppid pgrp session …"; the name may hold anything.
			const [state, , , session] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
			return state === "Z" ? [] : [{ session: Number(session), commandLine, environment: readFileSync(`/proc/${pid}/environ`, "latin1") }];
		} catch {
			return []; // It ended while we read, or is another user's.
		}
	});
}

import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../core/errors.js";
import { Database } from "./database.js";
import type { Steps } from "./journal-reads.js";
import type { Answer, Limits, Loaded, Request, Times } from "./protocol.js";
import { codeOf, isDamage } from "./sqlite.js";

/** A question that is being answered, a slice at a time. */
interface Asked {
	readonly steps: Steps<Answer>;
	readonly answer: (answer: Answer) => void;
}

/** Serves one database file: does what it is asked for, and when the file turns out to be damaged sets it aside and starts a new one. */
export class Keeper {
	#db: Database | undefined;
	#file = "";
	#limits: Limits | undefined;
	#asked: Asked[] = [];
	#tendAt: Times | undefined;
	/** The file is being looked through. */
	#isLooking = false;
	/** When the last request was made. */
	#now = 0;
	/** Damage that was found by nobody's request. */
	#isDamaged: Error | undefined;
	/** The damaged file was set aside, and nobody was told: there is no new one yet. */
	#aside: { readonly aside: string; readonly reason: string } | undefined;

	/** Do one thing. Questions are only begun: see `step()`. */
	take(request: Request, answer: (answer: Answer) => void): void {
		this.#now = request.now;
		try {
			const said = this.#do(request, answer);
			if (said) answer(said);
		} catch (error) {
			answer(this.#failed(error));
		}
	}

	/** Go on with what is not done yet, for some ms. @returns Is there more to do? */
	step(): boolean {
		const asked = this.#asked.shift();
		if (asked) {
			try {
				const { done, value } = asked.steps.next();
				if (done) asked.answer(value);
				else this.#asked.push(asked);
			} catch (error) {
				asked.answer(this.#failed(error));
			}
		} else if (this.#tendAt !== undefined) {
			const times = this.#tendAt;
			this.#tendAt = undefined;
			if (this.#upkeep((db) => db.tend(times))) this.#tendAt = times;
		} else if (this.#isLooking) this.#isLooking = this.#upkeep((db) => db.look());
		return this.#asked.length > 0 || this.#tendAt !== undefined || this.#isLooking;
	}

	/** @returns Is there more to do? */
	#upkeep(step: (db: Database) => boolean): boolean {
		if (!this.#db) return false;
		try {
			return step(this.#db);
		} catch (error) {
			// What is wrong with the file is found out, and told, by the next who writes or reads.
			if (isDamage(error) && error instanceof Error) this.#isDamaged = error;
			return false;
		}
	}

	#do(request: Request, answer: (answer: Answer) => void): Answer | undefined {
		if (request.kind === "open") return this.#open(request.file, request.limits, request.now);
		if (request.kind === "close") return this.#close(request.isClean);
		if (request.kind === "configure") this.#limits = request.limits;
		if (this.#isDamaged !== undefined) {
			const error = this.#isDamaged;
			this.#isDamaged = undefined;
			throw error;
		}
		const db = (this.#db ??= this.#reopened());
		if (this.#aside) {
			const fresh = { kind: "fresh", ...this.#aside } as const;
			this.#aside = undefined;
			return fresh;
		}
		switch (request.kind) {
			case "write": {
				const written = db.write(request.batch, request.now);
				this.#tendAt = { now: request.now, aged: request.aged };
				return { kind: "written", written };
			}
			case "ask":
				this.#asked.push({ steps: db.ask(request.question), answer });
				return undefined;
			case "tend":
				if (request.isWhole) while (db.empty());
				this.#tendAt = { now: request.now, aged: request.aged };
				return { kind: "done", figures: db.figures() };
			case "configure":
				db.configure(request.limits);
				return { kind: "done" };
			case "limit-pages":
				db.limitPages(request.pages);
				return { kind: "done" };
		}
	}

	#open(file: string, limits: Limits, now: number): Answer {
		this.#file = file;
		this.#limits = limits;
		mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
		let aside: Loaded["aside"];
		try {
			this.#db = new Database(file, limits);
		} catch (error) {
			if (!isDamage(error)) throw error;
			aside = { file: setAside(file, now), reason: messageOf(error) };
			this.#db = this.#instead(aside.file);
		}
		this.#isLooking = true;
		try {
			return { kind: "loaded", loaded: { ...this.#db.load(now), ...(aside && { aside }) }, figures: this.#db.figures() };
		} catch (error) {
			this.#db.close(false);
			if (!isDamage(error) || aside) throw error;
			aside = { file: setAside(file, now), reason: messageOf(error) };
			this.#db = this.#instead(aside.file);
			return { kind: "loaded", loaded: { ...this.#db.load(now), aside }, figures: this.#db.figures() };
		}
	}

	/** A new file. Where it cannot be made the old one is put back: whoever opens it the next time must find out again, and say so. */
	#instead(aside: string): Database {
		try {
			return this.#reopened();
		} catch (error) {
			for (const suffix of ["-wal", "-shm"]) rmSync(this.#file + suffix, { force: true });
			for (const suffix of ["", "-wal", "-shm"]) if (existsSync(aside + suffix)) renameSync(aside + suffix, this.#file + suffix);
			throw error;
		}
	}

	/** Damage that is found now is left to the next start: nobody is there any more to be told of a new file. */
	#close(isClean: boolean): Answer {
		const db = this.#db;
		const [aside, damage] = [this.#aside, this.#isDamaged];
		this.#db = this.#limits = this.#aside = this.#isDamaged = undefined;
		try {
			if (damage) throw damage;
			db?.close(isClean);
		} catch (error) {
			for (const last of [() => db?.distrust(), () => db?.close(false)]) {
				try {
					last();
				} catch {
					continue; // what is told is the first error
				}
			}
			return { kind: "failed", code: codeOf(error), reason: messageOf(error) };
		}
		return aside ? { kind: "fresh", ...aside } : { kind: "done" };
	}

	#reopened(): Database {
		if (this.#limits === undefined) throw new Error("it is not open");
		return new Database(this.#file, this.#limits);
	}

	#failed(error: unknown): Answer {
		if (!isDamage(error) || this.#limits === undefined || this.#file === "") return { kind: "failed", code: codeOf(error), reason: messageOf(error) };
		try {
			this.#db?.close(false);
		} catch {
			this.#db = undefined; // it is given up
		}
		this.#db = undefined;
		for (const { answer } of this.#asked.splice(0)) answer({ kind: "failed", code: "SQLITE_ABORT", reason: "the database was set aside" });
		try {
			const fresh = { aside: setAside(this.#file, this.#now), reason: messageOf(error) };
			this.#aside = fresh;
			this.#db = this.#reopened();
			this.#aside = undefined;
			return { kind: "fresh", ...fresh };
		} catch (second) {
			return { kind: "failed", code: codeOf(second), reason: messageOf(second) };
		}
	}
}

/** Rename a file with what belongs to it. @returns Its new name. */
function setAside(file: string, now: number): string {
	let aside = `${file}.damaged-${now}`;
	for (let next = 2; existsSync(aside); next++) aside = `${file}.damaged-${now}-${next}`;
	renameSync(file, aside);
	for (const suffix of ["-wal", "-shm"]) if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
	return aside;
}

// What --once prints: who said what, what was seen, and whether each claim held.

/** Columns for "who → whom". */
const WHO = 26;

/** Prints as things happen, and counts. */
export class Transcript {
	faults = 0;
	#checks = 0;
	readonly #started = Date.now();

	title(text: string): void {
		this.#print(`\n${text}`);
	}

	note(text: string): void {
		this.#print(indent(text, 10));
	}

	/** A line of a conversation. */
	said(who: string, whom: string, text: string, isCorrection = false): void {
		this.#line(`${who} → ${whom}`, `${text}${isCorrection ? "   (corrects the message before)" : ""}`);
	}

	/** How a device is now. */
	presence(who: string, state: string, status: string): void {
		this.#line(`${who} is ${state}`, status);
	}

	/** Runs a proof, and prints the claim with its outcome. What fails does not end the conversation. */
	async check(claim: string, prove: () => Promise<void>): Promise<void> {
		this.#checks++;
		try {
			await prove();
			this.#print(`      ✔ ${claim}`);
		} catch (error) {
			this.faults++;
			this.#print(`      ✘ ${claim}\n${indent(error instanceof Error ? error.message : String(error), 8)}`);
		}
	}

	fault(text: string): void {
		this.faults++;
		this.#print(`      ✘ ${text}`);
	}

	/** Prints the sum. @returns the exit code */
	end(): number {
		this.#print(`\n${this.#checks} checks, ${this.faults} failed, ${this.#seconds()} s`);
		return this.faults === 0 ? 0 : 1;
	}

	#line(head: string, text: string): void {
		this.#print(`${this.#seconds().padStart(6)}    ${head.padEnd(WHO)}  ${indent(text, 12 + WHO).trimStart()}`.trimEnd());
	}

	#seconds(): string {
		return ((Date.now() - this.#started) / 1_000).toFixed(1);
	}

	#print(text: string): void {
		console.log(text);
	}
}

function indent(text: string, columns: number): string {
	return text.replace(/^/gm, " ".repeat(columns));
}

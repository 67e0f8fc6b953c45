// A bounded number at a time, and everybody in turn: what one account takes is never all there is.

/** What one account has under way, and what of its own waits. */
interface Account {
	running: number;
	readonly waiting: Set<() => void>;
}

/** Lets in so much of one account and so much in all; the rest waits, and accounts take turns. */
export class Turns {
	readonly #ofOne: number;
	readonly #inAll: number;
	readonly #accounts = new Map<string, Account>();
	/** Accounts of which something may begin: the first one is next. */
	readonly #next = new Set<string>();
	#running = 0;

	constructor(ofOne: number, inAll: number) {
		this.#ofOne = ofOne;
		this.#inAll = inAll;
	}

	/** Run it as soon as it is its turn, perhaps at once. The answer says that it has ended, or is not wanted any more. */
	take(account: string, run: () => void): () => void {
		const own = this.#accounts.get(account) ?? { running: 0, waiting: new Set() };
		this.#accounts.set(account, own);
		let state: "waiting" | "running" | "ended" = "waiting";
		const begin = (): void => {
			state = "running";
			run();
		};
		own.waiting.add(begin);
		this.#line(account, own);
		this.#run();
		return () => {
			if (state === "ended") return;
			if (state === "waiting") own.waiting.delete(begin);
			else {
				own.running--;
				this.#running--;
			}
			state = "ended";
			this.#line(account, own);
			this.#run();
		};
	}

	#line(account: string, { running, waiting }: Account): void {
		if (waiting.size > 0 && running < this.#ofOne) this.#next.add(account);
		else this.#next.delete(account);
		if (waiting.size === 0 && running === 0) this.#accounts.delete(account);
	}

	#run(): void {
		while (this.#running < this.#inAll) {
			const [account] = this.#next;
			const own = account === undefined ? undefined : this.#accounts.get(account);
			const [begin] = own?.waiting ?? [];
			if (account === undefined || !own || !begin) return;
			own.waiting.delete(begin);
			own.running++;
			this.#running++;
			this.#next.delete(account);
			this.#line(account, own); // at the end of the line, behind those who have had no turn
			begin();
		}
	}
}

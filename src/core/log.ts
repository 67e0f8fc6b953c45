/** Where a part writes what happened: facts for programs first, then a sentence for people. Never a secret. */
export interface Log {
	debug(facts: object, text: string): void;
	info(facts: object, text: string): void;
	warn(facts: object, text: string): void;
	error(facts: object, text: string): void;
}

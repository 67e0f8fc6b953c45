/** Print, and wait until it is taken: a pager may be slower than the gateway. */
export function print(text: string): Promise<void> {
	return new Promise((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve())));
}

// `npm run demo`: installs what is missing, then runs demo/demo.ts in this process, so that one Ctrl-C reaches everything.

import { demoPackages, guarded, setup } from "./setup.mjs";

await guarded(async () => {
	const args = process.argv.slice(2);
	// Help needs the npm packages alone.
	const asksHelp = args.includes("--help") || args.includes("-h");
	await setup({ debian: asksHelp ? [] : demoPackages, build: !asksHelp, why: "the demo" });
	const { register } = await import("tsx/esm/api");
	register();
	const { demo } = await import("../demo/demo.ts");
	// Whatever still holds the loop open has been told to stop.
	process.exit(await demo(args));
});

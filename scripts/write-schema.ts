// Writes jidway.schema.json, which gives editors completion and checks for jidway.yaml.
import { writeFileSync } from "node:fs";
import { z } from "zod";
import { configSchema } from "../src/config/schema.js";

writeFileSync(new URL("../jidway.schema.json", import.meta.url), `${JSON.stringify(z.toJSONSchema(configSchema, { io: "input" }), undefined, "\t")}\n`);

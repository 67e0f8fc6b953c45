import { mainPath } from "./main-path.js";
import { startProsody } from "./servers/prosody.js";
import { missing } from "./site.js";

mainPath("Prosody", startProsody, missing("prosody", "mosquitto"));

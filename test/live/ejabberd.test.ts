import { mainPath } from "./main-path.js";
import { startEjabberd } from "./servers/ejabberd.js";
import { missing } from "./site.js";

mainPath("ejabberd", startEjabberd, missing("ejabberd", "mosquitto"));

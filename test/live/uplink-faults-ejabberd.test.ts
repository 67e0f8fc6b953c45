import { startEjabberd } from "./servers/ejabberd.js";
import { uplinkFaults } from "./uplink-faults.js";

uplinkFaults("ejabberd", startEjabberd);

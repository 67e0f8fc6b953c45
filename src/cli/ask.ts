import { dataFolderOf } from "../config/load.js";
import { askGateway, type ControlRequest } from "../web/control-socket.js";

/** A command waits up to its point's timeout, which may be set to minutes. */
const ANSWER_WITHIN_MS = 5 * 60_000;

/** Ask the gateway that runs with this config file. @throws {GatewayError} */
export function ask(configFile: string, request: ControlRequest): Promise<unknown> {
	return askGateway(dataFolderOf(configFile, process.env), request, ANSWER_WITHIN_MS);
}

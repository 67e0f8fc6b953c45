import assert from "node:assert/strict";
import { test } from "node:test";
import { type Place, whyDown } from "../../../src/south/mqtt/mend.js";

const place: Place = { name: "mqtt://broker.example:1883", version: 4, isTls: false, clientId: "jidway-greenhouse-farm" };
const error = (code: string | number | undefined, message = "raw"): Error => Object.assign(new Error(message), code === undefined ? {} : { code });

const ROWS: [code: string | number | undefined, place: Partial<Place>, wanted: RegExp][] = [
	["ECONNREFUSED", {}, /is the broker running, and is the port right \(ECONNREFUSED\)$/],
	["ENOTFOUND", {}, /correct the host in "url:"/],
	["EAI_AGAIN", {}, /does DNS work/],
	["ECONNRESET", {}, /a port for TLS wants mqtts:/],
	["ECONNRESET", { isTls: true }, /is this port for TLS/],
	["SELF_SIGNED_CERT_IN_CHAIN", {}, /unknown issuer; give the certificate of its authority as "ca:"/],
	["DEPTH_ZERO_SELF_SIGNED_CERT", {}, /"ca:"/],
	["ERR_TLS_CERT_ALTNAME_INVALID", {}, /another name than that in mqtt:\/\/broker\.example:1883/],
	["CERT_HAS_EXPIRED", {}, /renew it, or set this machine's clock/],
	["ERR_SSL_WRONG_VERSION_NUMBER", {}, /does not speak TLS/],
	[1, {}, /MQTT 3\.1\.1; set "version: 5"/],
	[1, { version: 5 }, /MQTT 5; set "version: 4"/],
	[132, { version: 5 }, /MQTT 5; set "version: 4"/],
	[2, {}, /client id "jidway-greenhouse-farm"; set another "client_id:"/],
	[4, {}, /correct "username:" and "password:" \(reason code 4\)/],
	[5, {}, /allow it in the broker's access list/],
	[134, {}, /username/],
	[142, {}, /another client has connected/],
	["EODD", {}, /^Cannot use mqtt:\/\/broker\.example:1883: raw$/],
	[undefined, {}, /: raw$/],
	["toString", {}, /: raw$/],
];
for (const [code, more, wanted] of ROWS) test(`whyDown() explains ${String(code)} ${JSON.stringify(more)}`, () => assert.match(whyDown(error(code), { ...place, ...more }), wanted));

test("whyDown() explains a path that is wrong, and what is no error", () => {
	assert.match(whyDown(error(undefined, "Unexpected server response: 404"), place), /correct the path in "url:", often \/mqtt/);
	assert.match(whyDown(new Error(""), place), /no reason given/);
	assert.match(whyDown("text", place), /: text$/);
});

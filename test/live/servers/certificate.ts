// Certificates for the servers of the tests, made by openssl: the gateway's own authority must not vouch for itself.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./processes.js";

export interface CertificateFiles {
	readonly caFile: string;
	readonly certFile: string;
	readonly keyFile: string;
}

/** Makes an authority and one server certificate in `folder`, valid for ten days, for these DNS names and 127.0.0.1. P-256, since RSA keys take seconds to make. */
export function makeCertificate(folder: string, names: readonly string[]): CertificateFiles {
	const files: CertificateFiles = { caFile: join(folder, "ca.pem"), certFile: join(folder, "server.pem"), keyFile: join(folder, "server.key") };
	const caKey = join(folder, "ca.key");
	const request = join(folder, "server.csr");
	const extensions = join(folder, "server.ext");
	const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
	runCommand("openssl", ["req", "-x509", ...key, "-days", "10", "-subj", "/CN=Test authority", "-keyout", caKey, "-out", files.caFile]);
	runCommand("openssl", ["req", ...key, "-subj", `/CN=${names[0] ?? "localhost"}`, "-keyout", files.keyFile, "-out", request]);
	writeFileSync(extensions, `subjectAltName=${[...names.map((name) => `DNS:${name}`), "IP:127.0.0.1"].join(",")}\nbasicConstraints=CA:FALSE\n`);
	runCommand("openssl", ["x509", "-req", "-in", request, "-CA", files.caFile, "-CAkey", caKey, "-CAcreateserial", "-days", "10", "-extfile", extensions, "-out", files.certFile]);
	return files;
}

// RFC 4180: Common Format and MIME Type for Comma-Separated Values (CSV) Files
// Source: https://www.rfc-editor.org/rfc/rfc4180
// Version: October 2005

/** One record with its end. A field with a comma, a quote or a line break is quoted, quotes in it doubled (section 2, rules 5 to 7). */
export function csvLine(fields: readonly string[]): string {
	return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll("\"", "\"\"")}"` : field)).join(",")}\r\n`;
}

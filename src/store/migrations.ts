/**
 * The schema of the database, as steps. Step N brings version N to N + 1 (`PRAGMA user_version`); a step that was
 * released is never changed, a new one is appended.
 */
export const MIGRATIONS: readonly string[] = [
	`
	CREATE TABLE subscription (
		device TEXT NOT NULL,
		contact TEXT NOT NULL,
		can_see INTEGER NOT NULL,      -- the contact sees the device ("from" in RFC 6121)
		sees INTEGER NOT NULL,         -- the device sees the contact ("to")
		pending_in INTEGER NOT NULL,
		pending_out INTEGER NOT NULL,
		PRIMARY KEY (device, contact)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE twin (
		link TEXT NOT NULL,
		address TEXT NOT NULL,
		announcement TEXT NOT NULL,    -- JSON of core/device.ts Announcement
		seen INTEGER NOT NULL,         -- when its source last spoke of it, in ms since 1970
		PRIMARY KEY (link, address)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE reading (
		link TEXT NOT NULL,
		address TEXT NOT NULL,
		point TEXT NOT NULL,
		value TEXT NOT NULL,           -- the digits of a number, true or false, or the text
		kind TEXT NOT NULL,            -- numeric, boolean, text
		at INTEGER NOT NULL,           -- the source's time, in ms since 1970
		received INTEGER NOT NULL,
		age_unknown INTEGER NOT NULL,
		quality TEXT NOT NULL,
		PRIMARY KEY (link, address, point)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE filter (             -- what the durable session of an MQTT link is subscribed to
		link TEXT NOT NULL,
		filter TEXT NOT NULL,
		PRIMARY KEY (link, filter)
	) STRICT, WITHOUT ROWID;
	`,
];

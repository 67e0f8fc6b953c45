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
	`
	CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

	CREATE TABLE series (             -- one point of one device in one kind and one unit
		id INTEGER PRIMARY KEY,
		link TEXT NOT NULL,
		address TEXT NOT NULL,
		point TEXT NOT NULL,
		kind INTEGER NOT NULL,         -- 0 numeric, 1 boolean, 2 text
		unit TEXT NOT NULL             -- empty for none
	) STRICT;

	CREATE TABLE inbox (              -- readings, and the memory of messages, in the order of arrival
		seq INTEGER PRIMARY KEY,
		series INTEGER NOT NULL,       -- 0: a message, value is JSON [link, id, hash]; -1: messages let go of, JSON [link, [id…] or "all"]
		at INTEGER NOT NULL,           -- the source's time, in ms since 1970
		received INTEGER NOT NULL,
		flags INTEGER NOT NULL,        -- quality 0 good, 1 estimate, 2 error; + 4: age unknown
		value TEXT NOT NULL
	) STRICT;

	CREATE TABLE entry (              -- readings that left the inbox
		series INTEGER NOT NULL,
		at INTEGER NOT NULL,
		seq INTEGER NOT NULL,
		received INTEGER NOT NULL,
		flags INTEGER NOT NULL,
		value TEXT NOT NULL,
		PRIMARY KEY (series, at, seq)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE era (                -- when the readings up to seq had been received: one row each time the inbox is emptied
		seq INTEGER PRIMARY KEY,
		received INTEGER NOT NULL
	) STRICT;

	CREATE TABLE delivery (           -- messages of the emptied inbox whose acknowledgement the broker may not have
		link TEXT NOT NULL,
		id INTEGER NOT NULL,
		hash TEXT NOT NULL,
		PRIMARY KEY (link, id)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE description (        -- what a topic said about devices, to be heard again before what the broker has kept
		n INTEGER PRIMARY KEY,         -- the order in which they came last
		link TEXT NOT NULL,
		topic TEXT NOT NULL,
		payload BLOB NOT NULL,
		retained INTEGER NOT NULL,
		UNIQUE (link, topic)
	) STRICT;

	CREATE TABLE watch (
		who TEXT NOT NULL,
		device TEXT NOT NULL,
		point TEXT NOT NULL,
		watch TEXT NOT NULL,           -- JSON of core/watch.ts Watch
		PRIMARY KEY (who, device, point)
	) STRICT, WITHOUT ROWID;

	CREATE TABLE letter (
		n INTEGER PRIMARY KEY,         -- the order of posting
		id TEXT NOT NULL UNIQUE,
		receiver TEXT NOT NULL,
		device TEXT NOT NULL,
		point TEXT,                    -- NULL: of the device as a whole
		urgent INTEGER NOT NULL,
		at INTEGER NOT NULL,
		posted INTEGER NOT NULL,       -- when it was posted, in ms since 1970
		body TEXT NOT NULL,
		batch TEXT                     -- the stanza that it was sent in
	) STRICT;
	CREATE INDEX letter_next ON letter (receiver, urgent DESC, n) WHERE batch IS NULL;
	CREATE INDEX letter_sent ON letter (receiver, n) WHERE batch IS NOT NULL;
	CREATE INDEX letter_batch ON letter (batch) WHERE batch IS NOT NULL;
	`,
];

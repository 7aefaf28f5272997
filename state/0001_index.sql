-- What the engine remembers. Every table and column in a sentence: README.md beside this file.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    mailbox TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('voice', 'fax')),
    state TEXT NOT NULL CHECK (state IN ('new', 'heard', 'deleted')),
    before_delete TEXT CHECK (before_delete IN ('new', 'heard')),
    received TEXT NOT NULL,
    caller_number TEXT NOT NULL DEFAULT '',
    caller_name TEXT NOT NULL DEFAULT '',
    duration REAL,
    pages INTEGER,
    urgent INTEGER NOT NULL DEFAULT 0,
    private INTEGER NOT NULL DEFAULT 0,
    media_type TEXT NOT NULL DEFAULT '',
    content TEXT,
    deleted_at REAL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX messages_by_mailbox ON messages (mailbox, received);

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    mailbox TEXT NOT NULL,
    host TEXT NOT NULL,
    login TEXT NOT NULL,
    looked INTEGER NOT NULL DEFAULT 0,
    last_success REAL,
    failing_since REAL,
    UNIQUE (mailbox, host, login)
) STRICT;

CREATE TABLE servers (
    host TEXT PRIMARY KEY,
    header_search_broken INTEGER NOT NULL DEFAULT 0,
    capabilities TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

CREATE TABLE folders (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    uidvalidity INTEGER,
    uidnext INTEGER,
    highestmodseq INTEGER,
    UNIQUE (account, name)
) STRICT;

CREATE TABLE sightings (
    folder INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    uidvalidity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    token TEXT NOT NULL,
    message_id TEXT NOT NULL DEFAULT '',
    seen INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    modseq INTEGER,
    base_seen INTEGER,
    stored_seen INTEGER,
    stored_at REAL,
    gone TEXT NOT NULL DEFAULT '' CHECK (gone IN ('', 'vanished', 'removed')),
    gone_at REAL,
    PRIMARY KEY (folder, uidvalidity, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_token ON sightings (token);

CREATE TABLE pairs (
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    token TEXT NOT NULL,
    base TEXT CHECK (base IN ('new', 'heard', 'deleted')),
    sighted INTEGER NOT NULL DEFAULT 0,
    linked INTEGER NOT NULL DEFAULT 1,
    absent INTEGER NOT NULL DEFAULT 0,
    trashed INTEGER NOT NULL DEFAULT 0,
    deleted_by_phone INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    spare INTEGER NOT NULL DEFAULT 0,
    local TEXT CHECK (local IN ('new', 'heard', 'deleted')),
    home TEXT,
    sent_at REAL,
    closed_at REAL,
    pending TEXT,
    pending_since REAL,
    deadline REAL,
    expired INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (account, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE inferred (
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    token TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'allowed', 'applied')),
    since REAL NOT NULL,
    PRIMARY KEY (account, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
    token TEXT NOT NULL,
    side TEXT NOT NULL,
    verb TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    opened_at REAL NOT NULL,
    closed_at REAL,
    outcome TEXT
) STRICT;
CREATE INDEX intents_open ON intents (account) WHERE closed_at IS NULL;

CREATE TABLE queue (
    token TEXT NOT NULL,
    mailbox TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('due', 'claimed', 'in-doubt', 'blocked', 'undeliverable', 'cancelled', 'not-sent', 'sent')),
    resend INTEGER NOT NULL DEFAULT 1,
    attempts INTEGER NOT NULL DEFAULT 0,
    enqueued_at REAL NOT NULL,
    next_try REAL NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until REAL,
    recipients TEXT NOT NULL DEFAULT '{}',
    last_reply TEXT,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (mailbox, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_due ON queue (mailbox, state, sequence);

CREATE TABLE passes (
    mailbox TEXT PRIMARY KEY,
    dirty_since REAL,
    last_pass REAL,
    last_ok REAL,
    last_error TEXT,
    next_try REAL
) STRICT, WITHOUT ROWID;

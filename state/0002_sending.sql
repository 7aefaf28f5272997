-- What sending needs beyond one row a message: why a row waits, copies beside the synced address,
-- tries to delete over POP3, and delivery status notifications still to be read.

ALTER TABLE queue ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN options TEXT;
ALTER TABLE queue ADD COLUMN copies_due REAL;
ALTER TABLE queue ADD COLUMN copies_tried INTEGER NOT NULL DEFAULT 0;

CREATE TABLE pop3_deletes (
    mailbox TEXT NOT NULL,
    token TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('due', 'trying', 'deleted', 'let-go')),
    tries INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL,
    PRIMARY KEY (mailbox, token)
) STRICT, WITHOUT ROWID;

CREATE TABLE pop3_uids (
    mailbox TEXT NOT NULL,
    account TEXT NOT NULL,
    uidl TEXT NOT NULL,
    token TEXT,
    seen_at REAL NOT NULL,
    PRIMARY KEY (mailbox, account, uidl)
) STRICT, WITHOUT ROWID;

CREATE TABLE reports (
    folder INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    uidvalidity INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    read INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (folder, uidvalidity, uid)
) STRICT, WITHOUT ROWID;

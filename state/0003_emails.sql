-- E-mails that can be read aloud: what each folder in scope showed, and what the phone did with it.

CREATE TABLE email_folders (
    folder INTEGER PRIMARY KEY REFERENCES folders ON DELETE CASCADE,
    uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL,
    highestmodseq INTEGER
) STRICT;

CREATE TABLE emails (
    folder INTEGER NOT NULL REFERENCES folders ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    size INTEGER NOT NULL,
    head BLOB NOT NULL,
    heard INTEGER,
    removed INTEGER NOT NULL DEFAULT 0,
    changed_at REAL,
    home INTEGER,
    id TEXT,
    error TEXT,
    PRIMARY KEY (folder, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX emails_touched ON emails (folder) WHERE changed_at IS NOT NULL;

CREATE TABLE pop3_emails (
    mailbox TEXT NOT NULL,
    account TEXT NOT NULL,
    uidl TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    head BLOB NOT NULL,
    first_seen REAL NOT NULL,
    heard INTEGER NOT NULL DEFAULT 0,
    removed_at REAL,
    PRIMARY KEY (mailbox, account, uidl)
) STRICT, WITHOUT ROWID;

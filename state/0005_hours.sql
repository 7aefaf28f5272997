-- What the passes of each hour came to, for a picture of the last day. See README.md beside this file.

CREATE TABLE hours (
    hour INTEGER NOT NULL,
    mailbox TEXT NOT NULL,
    passes INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    changes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, mailbox)
) STRICT, WITHOUT ROWID;

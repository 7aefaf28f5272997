-- Which mailboxes were changed at the phone: read after every write of another process or thread. See README.md beside
-- this file.

CREATE INDEX passes_dirty ON passes (mailbox) WHERE dirty_since IS NOT NULL;

-- What the list of all mailboxes sums up, without reading what is not in the sums. See README.md beside this file.

CREATE INDEX pairs_pending ON pairs (account) WHERE pending IS NOT NULL;
CREATE INDEX queue_open ON queue (mailbox) WHERE state IN ('due', 'claimed', 'blocked');

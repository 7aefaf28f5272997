-- What each pass forgets, found without reading what it keeps: closed intents, messages whose recording was given up.
-- See README.md beside this file.

CREATE INDEX intents_closed ON intents (account, closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX messages_given_up ON messages (deleted_at) WHERE content IS NULL;

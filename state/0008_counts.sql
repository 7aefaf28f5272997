-- How many messages a folder held when it was read last: without QRESYNC that nothing has gone shows in this number.
-- See README.md beside this file.

ALTER TABLE folders ADD COLUMN messages INTEGER;
ALTER TABLE email_folders ADD COLUMN messages INTEGER;

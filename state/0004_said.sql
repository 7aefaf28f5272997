-- What was said already, and which folders stand in for those that are gone. See README.md beside this file.

ALTER TABLE folders ADD COLUMN follows INTEGER CHECK (follows IN (0, 1));
ALTER TABLE pairs ADD COLUMN said TEXT CHECK (said IN ('unlinked', 'unfiled'));

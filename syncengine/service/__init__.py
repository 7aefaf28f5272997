"""The service: many mailboxes watched by one process, for months."""

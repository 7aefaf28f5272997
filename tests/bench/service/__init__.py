"""Ten thousand mailboxes watched by one process: what that takes, and how soon each side is told."""

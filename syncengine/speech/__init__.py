"""E-mail read aloud over the telephone: what is said, in which voice, and the caller's way through it."""

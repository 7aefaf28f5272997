"""The pages: what is going on, the manual's Mailbox Options and Misc Setup; an extra of its own."""

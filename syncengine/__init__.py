"""Keeps a voice mailbox and an e-mail account telling the same story, both ways."""

"""The commands: one small file a group; a composition root."""

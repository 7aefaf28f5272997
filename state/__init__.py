"""The shape of what is remembered: numbered SQL files, applied in order by the index."""

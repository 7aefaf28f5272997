"""What the engine remembers, in SQLite: the only package that speaks SQL."""

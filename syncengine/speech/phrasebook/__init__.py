"""The reader's own words, a module for each language."""

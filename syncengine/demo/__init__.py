"""A story told on a real mail server, step by step, with both sides shown side by side."""

"""A message's way to the account: composed, queued, handed over."""

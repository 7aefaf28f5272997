"""Speed beside the best peers, on one Dovecot: ``make bench`` (no part of the tests)."""

"""One pass over one mailbox, and the public Engine."""

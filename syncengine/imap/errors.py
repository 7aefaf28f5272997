"""What can be wrong with a server's bytes; never leaves this package.

The connection turns it into :class:`syncengine.errors.ConnectionLost`: a server that was
misunderstood once is not asked again on the same connection.
"""

from __future__ import annotations


class WireError(ValueError):
    """Bytes that are no IMAP response."""

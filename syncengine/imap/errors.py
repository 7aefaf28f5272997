"""What can be wrong with a server's bytes; never leaves this package.

The connection turns it into :class:`syncengine.errors.ConnectionLost`: a server that was
misunderstood once is not asked again on the same connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncengine.imap.wire import Condition


class WireError(ValueError):
    """Bytes that are no IMAP response."""


class ServerBye(Exception):
    """The server said BYE: the connection is over."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.text)
        self.condition = condition

"""A returned message, as mail servers write it (RFC 3464)."""

from __future__ import annotations


def bounce(
    envelope: str, recipient: str, *, action: str = "failed", reason: str = "550 no such user"
) -> bytes:
    """A delivery status notification about the message with that envelope id."""
    return f"""\
From: MAILER-DAEMON@mail.example
To: somebody@example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

It could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
Original-Envelope-Id: {envelope}
Arrival-Date: Mon, 23 Nov 2026 10:15:00 -0500

Original-Recipient: rfc822;{recipient}
Final-Recipient: rfc822; {recipient}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 no such user

--b1
Content-Type: text/rfc822-headers

Subject: whatever

--b1--
""".replace("\n", "\r\n").encode()

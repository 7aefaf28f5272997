"""What the tests stand on: real mail servers, a proxy that misbehaves, an SMTP server that obeys a script."""

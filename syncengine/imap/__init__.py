"""The e-mail side over IMAP4: imapclient for the connection, a typed layer of our own for sync data."""

"""The pure core: no clock, socket, SQL, log or random below this folder."""

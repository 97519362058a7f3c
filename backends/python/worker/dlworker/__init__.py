"""One protocol, one timing loop, one file per framework."""

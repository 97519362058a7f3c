"""What a worker answers in place of a reply (PROTOCOL.md, section 12)."""


class Unsupported(Exception):
    """What the framework cannot do exactly as PROTOCOL.md defines it."""


class Failed(Exception):
    """Anything else that went wrong."""

"""Asterisk's voice mail (app_voicemail with file storage) as the engine's local side.

The spool stays Asterisk's: nothing in it is renumbered, no lock of others is broken, and a message is
known by what it is, never by where it lies.
"""

from syncengine.voicemail.asterisk.ami import Ami
from syncengine.voicemail.asterisk.box import How
from syncengine.voicemail.asterisk.checkup import Checkup, Finding, in_the_way
from syncengine.voicemail.asterisk.conf import ConfMailbox, read_conf
from syncengine.voicemail.asterisk.conffiles import ConfLimits, load_conf
from syncengine.voicemail.asterisk.locks import LockMode
from syncengine.voicemail.asterisk.store import AsteriskStore
from syncengine.voicemail.asterisk.watcher import SpoolWatcher

__all__ = [
    "Ami",
    "AsteriskStore",
    "Checkup",
    "ConfLimits",
    "ConfMailbox",
    "Finding",
    "How",
    "LockMode",
    "SpoolWatcher",
    "in_the_way",
    "load_conf",
    "read_conf",
]

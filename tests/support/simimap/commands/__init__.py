"""What carries each command out, by its name; ``UID`` commands have names of two words."""

from __future__ import annotations

from tests.support.simimap.commands import basics, change, fetch, folders, search, select
from tests.support.simimap.session import Handler

HANDLERS: dict[str, Handler] = {
    "CAPABILITY": basics.capability,
    "NOOP": basics.noop,
    "LOGOUT": basics.logout,
    "LOGIN": basics.login,
    "AUTHENTICATE": basics.authenticate,
    "ENABLE": basics.enable,
    "ID": basics.identify,
    "NAMESPACE": basics.namespace,
    "IDLE": basics.idle,
    "LIST": folders.list_folders,
    "LSUB": folders.list_subscribed,
    "STATUS": folders.status,
    "CREATE": folders.create,
    "DELETE": folders.delete,
    "RENAME": folders.rename,
    "SUBSCRIBE": folders.subscribe,
    "UNSUBSCRIBE": folders.unsubscribe,
    "SELECT": select.select,
    "EXAMINE": select.examine,
    "UNSELECT": select.unselect,
    "CLOSE": select.close,
    "CHECK": basics.noop,
    "APPEND": change.append,
    "FETCH": fetch.fetch,
    "UID FETCH": fetch.uid_fetch,
    "STORE": change.store,
    "UID STORE": change.uid_store,
    "COPY": change.copy,
    "UID COPY": change.uid_copy,
    "MOVE": change.move,
    "UID MOVE": change.uid_move,
    "EXPUNGE": change.expunge,
    "UID EXPUNGE": change.uid_expunge,
    "SEARCH": search.search,
    "UID SEARCH": search.uid_search,
}

UNAUTHENTICATED = frozenset({"CAPABILITY", "NOOP", "LOGOUT", "LOGIN", "AUTHENTICATE", "ID"})
"""Commands that need no login."""

SELECTED_ONLY = frozenset(
    name
    for name in HANDLERS
    if name.split()[-1]
    in ("FETCH", "STORE", "COPY", "MOVE", "EXPUNGE", "SEARCH", "UNSELECT", "CLOSE", "CHECK")
)
"""Commands that need an open folder."""

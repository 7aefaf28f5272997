"""What the voice-mail store shows of a mailbox, where it proves that it is the store the index knows.

From another store, and from one that cannot prove itself, nothing is ever missing: a fresh store in the
place of the old one would look like a mailbox that was emptied.
"""

from __future__ import annotations

from syncengine.engine.binding import Binding
from syncengine.errors import StoreUnproven
from syncengine.index import Index
from syncengine.model import LocalListing


def proven_listing(binding: Binding, index: Index) -> LocalListing:
    """List one mailbox; raises ``StoreUnproven``. The store that is seen first is the index's own."""
    listing = binding.store.listing(binding.number)
    if not listing.proven:
        raise StoreUnproven(
            "the voice-mail store cannot prove that it is the one the index belongs to; is it mounted? "
            "Nothing is done until it is back"
        )
    fact = f"store of {binding.number}"
    known = index.passes.meta(fact)
    if known is None:
        index.passes.set_meta(fact, listing.store_id)
    elif known != listing.store_id:
        raise StoreUnproven(
            f"this voice-mail store ({listing.store_id or 'without an id'}) is another than the one that the"
            f" index belongs to ({known}); put that back, or begin with a new state_dir"
        )
    return listing

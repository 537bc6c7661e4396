"""Keeping events: in memory, or in one SQLite file. Events in, events out; what they mean is the engine's."""

from emb_opt_widgets.live.store.codec import decode, encode
from emb_opt_widgets.live.store.form import FileForm
from emb_opt_widgets.live.store.memory import MemoryStore
from emb_opt_widgets.live.store.protocol import Store
from emb_opt_widgets.live.store.sqlite import SQLiteStore

__all__ = ["FileForm", "MemoryStore", "SQLiteStore", "Store", "decode", "encode"]

"""The items that a user's own data function makes, as the engine's item ids.

Two items with the same id and content are one: it is judged once. Items that share an id and differ are judged apart.
"""

from __future__ import annotations

from typing import Any

from emb_opt_widgets.compat.schemas import Item

__all__ = ["Alike"]


class Alike:
    """Keys, all below 0, of items."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._key_of: dict[int, tuple[int, Item]] = {}
        self._same_id: dict[Any, list[tuple[int, Any, list[float], dict[Any, Any]]]] = {}

    def key(self, item: Item) -> int:
        """The key of an item: that of the first like it."""
        if id(item) not in self._key_of:
            self._key_of[id(item)] = (self._find(item), item)
        return self._key_of[id(item)][0]

    def _find(self, item: Item) -> int:
        same = self._same_id.setdefault(item.id, [])
        for key, what, embedding, data in same:
            if item.embedding == embedding and _equal(item.item, what) and _equal(item.data, data):
                return key
        self._items.append(item)
        same.append((-len(self._items), item.item, list(item.embedding), dict(item.data)))
        return -len(self._items)

    def item(self, key: int) -> Item:
        """The first item of a key, the one that is judged."""
        return self._items[-key - 1]


def _equal(a: Any, b: Any) -> bool:
    try:
        return a is b or bool(a == b)
    except ValueError:
        return False

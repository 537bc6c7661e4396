"""What items are called, a line each: looked up beside, in the thread that answers questions, and remembered."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.live.notices import said_of
from emb_opt_widgets.widgets.content import line_of
from emb_opt_widgets.widgets.workers import ASKS, Worker

__all__ = ["Texts"]

_log = logging.getLogger(__name__)
_REMEMBERED = 2_000
_LINE = 200


class Texts:
    """Ids and lines of items.

    Args:
        payload: State rows to their items; may be slow, may fail.
        changed: Called when more is known.
        failed: Told, in a sentence, when they cannot be looked up.
        worker: Who looks things up.
    """

    def __init__(
        self,
        payload: Callable[[npt.NDArray[Any]], Items],
        changed: Callable[[], None],
        failed: Callable[[str], None],
        worker: Worker = ASKS,
    ) -> None:
        self._payload, self._changed, self._failed, self._worker = payload, changed, failed, worker
        self._known: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._asked: set[int] = set()

    def named(self, calls: npt.NDArray[Any], order: npt.NDArray[Any]) -> list[tuple[str, str]]:
        """Id and line of items, empty where they are not known yet; these are looked up.

        Args:
            calls: `(m,)` which items, by call. order: State rows by call.
        """
        wanted: list[int] = calls.tolist()
        missing = [call for call in wanted if call not in self._known and call not in self._asked]
        if missing:
            rows = order[np.array(missing)]
            self._asked.update(missing)
            if not self._worker.put(lambda: self._look_up(missing, rows)):
                self._asked.difference_update(missing)
        return [self._known.get(call, ("", "")) for call in wanted]

    def _look_up(self, calls: list[int], rows: npt.NDArray[Any]) -> None:
        try:
            items = self._payload(rows)
            whole = items.items
            found = [
                (line_of(one, _LINE), "" if whole is None else line_of(whole[i], _LINE))
                for i, one in enumerate(items.ids.tolist())
            ]
        except Exception as error:
            _log.info("items could not be looked up", exc_info=error)
            self._failed(f"The names of items could not be looked up: {said_of(error)}")
            found = [("", "")] * len(calls)
        self._known.update(zip(calls, found))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        self._asked.difference_update(calls)
        self._changed()

"""What every widget shares: one feed, one picture for where no kernel is, one way to end.

Those of a search share a selection too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import traitlets

from emb_opt_widgets.errors import InputError
from emb_opt_widgets.search.commands import check_node
from emb_opt_widgets.search.search import Search
from emb_opt_widgets.widgets.feed import Feed, unpin
from emb_opt_widgets.widgets.interrupts import heed
from emb_opt_widgets.widgets.parts import parts
from emb_opt_widgets.widgets.showing import mimebundle, shell

__all__ = ["COLORS", "LiveWidget", "Nodes", "SearchWidget", "checked_nodes"]

COLORS = ("max", "mean", "round", "operator")
"""What nodes may be coloured by."""


class Nodes(traitlets.TraitType[list[int], Any]):
    """Ids of nodes of the widget's search, ascending, each once."""

    def validate(self, obj: Any, value: Any) -> list[int]:
        """The ids, checked."""
        return checked_nodes(obj.search, value)


class LiveWidget(ipywidgets.VBox):  # type: ignore[misc,unused-ignore]
    """Base of all widgets of live objects; abstract: `_views` says what is in it.

    Args:
        subject: What it shows.

    Raises:
        StateError: The front end is not built.
    """

    def __init__(self, subject: Any) -> None:
        self._subject = subject
        self._feed = Feed.of(subject)
        self._endings: list[Callable[[], None]] = []
        super().__init__(children=tuple(self._views()), _dom_classes=("eow", *self._classes()))
        self._feed.hold(self)
        heed(shell())
        self._endings.append(lambda: self._feed.release(self))
        for part in parts(self, without=self._feed):
            unpin(part.comm)

    def _views(self) -> Sequence[ipywidgets.Widget]:
        """What is in it, from top to bottom."""
        raise NotImplementedError

    def _classes(self) -> Sequence[str]:
        """CSS classes beside `eow`."""
        return ()

    def close(self) -> None:
        """Take it from every page and let go of all it holds. What it shows, and other widgets of that, stay."""
        if self.comm is None:
            return
        for end in self._endings:
            end()
        self._endings.clear()
        for part in parts(self, without=self._feed)[1:]:
            part.close()
        super().close()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return mimebundle(self._subject, self.model_id, repr(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {self._subject!r}"


class SearchWidget(LiveWidget):
    """Base of the widgets of a search; abstract.

    Args:
        search: What it shows.

    Attributes:
        selection: Ids of the selected nodes, ascending; the same in all widgets of the search. Any iterable of ids
            may be assigned.
        color_by: "max", "mean", "round" or "operator"; the same in all widgets of the search.

    Raises:
        InputError: `search` is no search.
        StateError: The front end is not built.
    """

    selection = Nodes()
    color_by = traitlets.Enum(COLORS, "max")

    def __init__(self, search: Search) -> None:
        if not isinstance(search, Search):
            raise InputError(
                f"{type(self).__name__} shows a search",
                expected="a Search",
                got=type(search).__name__,
                hint="Make one with eow.Search(source, score)",
            )
        self._search = search
        super().__init__(search)
        self._endings.append(traitlets.link((self._feed, "color_by"), (self, "color_by")).unlink)
        self._share_selection()

    def _share_selection(self) -> None:
        """Keep selection and feed alike; what a page says comes through the feed, without nodes that are not there."""

        def take(_: Any = None) -> None:
            known = self._search.controller.state.n_nodes
            self.selection = [node for node in self._feed.selection if node < known]

        def give(_: Any) -> None:
            self._feed.selection = self.selection

        take()
        self.observe(give, "selection")
        self._feed.observe(take, "selection")
        self._endings.append(lambda: self._feed.unobserve(take, "selection"))

    @property
    def search(self) -> Search:
        """What it shows."""
        return self._search

    @traitlets.default("selection")
    def _nothing_selected(self) -> list[int]:
        return []


def checked_nodes(search: Search, given: Any) -> list[int]:
    """Node ids as a selection is: ascending, each once.

    Raises:
        InputError: It is no list of ids. UnknownNodeError: The tree has no such node.
    """
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InputError(
            "The selection is not usable", expected="a list of node ids", got=f"{given!r:.80}", hint="Nothing: []"
        )
    controller = search.controller
    with controller.lock:
        return sorted({check_node(controller.state, node) for node in given})

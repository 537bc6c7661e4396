"""Front-end bundles, and a view of a feed by one of them: what the widgets are made of. Knows no searches."""

from __future__ import annotations

import threading
from typing import Any

import anywidget
import ipywidgets
import traitlets

from emb_opt_widgets.widgets.front import code, loader, styles

__all__ = ["ChartHead", "FeedView"]

_made: dict[tuple[str, ...], Bundle] = {}
_making = threading.Lock()


class Bundle(anywidget.AnyWidget):
    """The code and the looks of a kind of view; one each a kernel, without a view of its own.

    Args:
        name: The bundle's. sheets: Further style sheets.
    """

    _esm = "export default {};"
    _css = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)

    def __init__(self, name: str, *sheets: str) -> None:
        super().__init__(code=code(name), _css=styles(name, *sheets), _anywidget_id=f"emb_opt_widgets.{name}.bundle")

    @classmethod
    def of(cls, name: str, *sheets: str) -> Bundle:
        """The kernel's, made on first use.

        Raises:
            StateError: It was not built.
        """
        with _making:
            key = (loader(name), *sheets)
            known = _made.get(key)
            if known is None or known.comm is None:
                known = _made[key] = cls(name, *sheets)
            return known


class FeedView(anywidget.AnyWidget):
    """A view of a feed.

    Args:
        name: The bundle's. feed: What it shows.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    bundle = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, name: str, feed: ipywidgets.Widget) -> None:
        super().__init__(feed=feed, **_front(name))


class ChartHead(anywidget.AnyWidget):
    """The title row above a chart.

    Args:
        chart: "histogram" or "trace". feed: Whose chart it is.

    Attributes:
        scale: "linear" or "log"; the row has a switch where the chart is a histogram.
        figure: The chart below; with the row it goes from the page.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    bundle = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    chart = traitlets.Enum(("histogram", "trace")).tag(sync=True)
    scale = traitlets.Enum(("linear", "log"), "linear").tag(sync=True)
    figure = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, chart: str, feed: ipywidgets.Widget) -> None:
        super().__init__(chart=chart, feed=feed, **_front("chart-head", "chart", "dashboard"))


def _front(name: str, *sheets: str) -> dict[str, Any]:
    """The traits that make a widget a view: its module, and the name of its bundle, which closes with no view."""
    return {
        "_esm": loader(name),
        "bundle": f"IPY_MODEL_{Bundle.of(name, *sheets).model_id}",
        "_anywidget_id": f"emb_opt_widgets.{name}",
    }

"""One front-end bundle over a feed: what the widgets are made of. Knows no searches."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets
import traitlets

from emb_opt_widgets.widgets.front import code, loader, styles

__all__ = ["Bundle", "ChartHead"]


class Bundle(anywidget.AnyWidget):
    """A view of a feed.

    Args:
        name: The bundle's. feed: What it shows.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, name: str, feed: ipywidgets.Widget) -> None:
        super().__init__(feed=feed, **_front(name))


class ChartHead(anywidget.AnyWidget):
    """The title row above a chart.

    Args:
        chart: "histogram" or "trace". feed: Whose chart it is.

    Attributes:
        scale: "linear" or "log"; the row has a switch where the chart is a histogram.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    chart = traitlets.Enum(("histogram", "trace")).tag(sync=True)
    scale = traitlets.Enum(("linear", "log"), "linear").tag(sync=True)

    def __init__(self, chart: str, feed: ipywidgets.Widget) -> None:
        super().__init__(chart=chart, feed=feed, **_front("chart-head", "chart", "dashboard"))


def _front(name: str, *sheets: str) -> dict[str, Any]:
    """The traits that make a widget a view: its module, its bundle, its looks."""
    return {
        "_esm": loader(name),
        "code": code(name),
        "_css": styles(name, *sheets),
        "_anywidget_id": f"emb_opt_widgets.{name}",
    }

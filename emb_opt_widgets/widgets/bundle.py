"""One front-end bundle over a feed: what the widgets are made of. Knows no searches."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets
import traitlets

from emb_opt_widgets.widgets.front import code, styles

__all__ = ["Bundle", "ChartHead"]


class Bundle(anywidget.AnyWidget):
    """A view of a feed.

    Args:
        name: The bundle's. feed: What it shows.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, name: str, feed: ipywidgets.Widget) -> None:
        look = {"_esm": code(name), "_css": styles(name), "_anywidget_id": f"emb_opt_widgets.{name}"}
        super().__init__(feed=feed, **look)


class ChartHead(anywidget.AnyWidget):
    """The title row above a chart.

    Args:
        chart: "histogram" or "trace". feed: Whose chart it is.

    Attributes:
        scale: "linear" or "log"; the row has a switch where the chart is a histogram.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    feed = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)
    chart = traitlets.Enum(("histogram", "trace")).tag(sync=True)
    scale = traitlets.Enum(("linear", "log"), "linear").tag(sync=True)

    def __init__(self, chart: str, feed: ipywidgets.Widget) -> None:
        name = "chart-head"
        look: dict[str, Any] = {"_esm": code(name), "_css": styles(name, "chart", "dashboard")}
        super().__init__(chart=chart, feed=feed, _anywidget_id=f"emb_opt_widgets.{name}", **look)

"""JupyterLab's side of the package: an extension of the server, and what the panel asks of a kernel.

Neither is imported by `import emb_opt_widgets`; `server` alone needs jupyter_server.
"""

from __future__ import annotations

from typing import Any

__all__: list[str] = []


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "emb_opt_widgets.lab"}]


def _load_jupyter_server_extension(app: Any) -> None:
    from emb_opt_widgets.lab.server import add_to

    add_to(app)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "../labextension", "dest": "emb_opt_widgets"}]

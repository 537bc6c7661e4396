"""A wheel without what browsers run would install, and show nothing: better to say so while it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = {
    "emb_opt_widgets/widgets/static": "*.js",
    "emb_opt_widgets/labextension": "static/remoteEntry.*.js",
}


class AssetsHook(BuildHookInterface):
    """Refuses to make anything but an editable install where JavaScript has not been built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look for it."""
        if version == "editable":
            return
        missing = [folder for folder, files in ASSETS.items() if not any(Path(self.root, folder).glob(files))]
        if missing:
            raise FileNotFoundError(
                f"What browsers run has not been built: there is nothing in {' and '.join(missing)}. "
                "Build it first, with Node 20 or newer: make build"
            )

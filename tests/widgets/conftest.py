"""Widgets without Node: stand-ins for the front-end bundles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emb_opt_widgets.widgets import front

BUNDLES = "control-panel query-tree embedding-map results-table event-log details chart-head training".split()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of bundles that say their names."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in BUNDLES:
        (folder / f"{name}.js").write_text(f"export default {{ render() {{ return {name!r}; }} }};")
    front.code.cache_clear()
    front.loader.cache_clear()
    front.styles.cache_clear()
    monkeypatch.setattr(front, "_BUILT", folder)
    yield folder
    front.code.cache_clear()
    front.loader.cache_clear()
    front.styles.cache_clear()

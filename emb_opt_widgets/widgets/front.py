"""The front-end code of the widgets, as text: built from `js/`, read when a widget is first made.

Text, not paths: anywidget watches paths and then never lets go of a widget. And not the bundle itself as a widget's
module: anywidget makes a module for every model, and a page never lets go of a module, nor of a closed model's traits.
So a bundle is one model of the kernel's (`Bundle` in `bundle.py`), and each widget's module is a `loader`, which
evaluates it once a page.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from emb_opt_widgets.errors import StateError

__all__ = ["code", "loader", "styles"]

_BUILT = Path(__file__).with_name("static")
_OWN = Path(__file__).with_name("styles")
_LOADER = """const bundles = (globalThis[Symbol.for("emb_opt_widgets.bundles")] ??= new Map());
async function load(model) {
  const bundle = await model.widget_manager.get_model(model.get("bundle").slice("IPY_MODEL_".length));
  if (!bundles.has("KEY")) {
    const url = URL.createObjectURL(new Blob([bundle.get("code")], { type: "text/javascript" }));
    bundles.set("KEY", import(url).finally(() => URL.revokeObjectURL(url)));
  }
  return bundles.get("KEY");
}
export default {
  async render(context) {
    return (await load(context.model)).default.render(context);
  },
};
"""


@cache
def code(name: str) -> str:
    """A bundle's JavaScript.

    Raises:
        StateError: It was not built.
    """
    return _read(f"{name}.js")


@cache
def loader(name: str) -> str:
    """The module of a widget whose trait `bundle` names the model of its bundle.

    Raises:
        StateError: It was not built.
    """
    return _LOADER.replace("KEY", f"{name} {hashlib.sha256(code(name).encode()).hexdigest()[:16]}")


@cache
def styles(name: str, *own: str) -> str:
    """A bundle's CSS, with sheets of ours behind it; empty where it has none.

    Args:
        name: The bundle.
        own: Names of sheets in `styles/`.
    """
    built = [_read(f"{name}.css")] if (_BUILT / f"{name}.css").is_file() else []
    return "\n".join([*built, *((_OWN / f"{sheet}.css").read_text(encoding="utf-8") for sheet in own)])


def _read(file: str) -> str:
    try:
        return (_BUILT / file).read_text(encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"The widgets' front end is not built: {file} is missing",
            hint="In a checkout: npm ci && npm run build. A released wheel has it",
        ) from error

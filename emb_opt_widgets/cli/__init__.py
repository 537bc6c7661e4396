"""The `emb-opt-widgets` command. The one place of the library that prints."""

from emb_opt_widgets.cli.main import main

__all__ = ["main"]

"""The live search: what drives it, what may be asked of it, what it found, and its file."""

from emb_opt_widgets.search.search import Search

__all__ = ["Search"]

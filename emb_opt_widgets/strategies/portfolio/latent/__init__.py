"""For spaces whose points are made up as they are asked for: a local model of the scores, or their own gradient."""

from __future__ import annotations

from emb_opt_widgets.strategies.portfolio.latent.update import LatentUpdate

__all__ = ["LatentUpdate"]

"""The default strategy: operators propose, surrogates judge, a bandit shares out the calls. One algorithm a file."""

from emb_opt_widgets.strategies.portfolio.strategy import Portfolio, SurrogateUpdate

__all__ = ["Portfolio", "SurrogateUpdate"]

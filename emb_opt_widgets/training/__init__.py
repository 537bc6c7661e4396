"""Training the space that is searched: losses, caches and the loop. Importing this package does not load torch yet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emb_opt_widgets.errors import needing

if TYPE_CHECKING:
    from emb_opt_widgets.training.accuracy import TopKAccuracy
    from emb_opt_widgets.training.cache import NegativeCache
    from emb_opt_widgets.training.cache_loss import CacheLoss, CacheLossOutput
    from emb_opt_widgets.training.encoding import encode, encoded_source
    from emb_opt_widgets.training.files import load
    from emb_opt_widgets.training.frequency import FrequencyEstimator
    from emb_opt_widgets.training.loop import Training
    from emb_opt_widgets.training.mining import HardNegatives, mine_hard_negatives
    from emb_opt_widgets.training.qrels import RankingMetrics
    from emb_opt_widgets.training.retrieval import GumbelMax, MaxScore, Retrieval
    from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
    from emb_opt_widgets.training.sentence import SentenceLoss, SentenceTower
    from emb_opt_widgets.training.sharded import ShardedCacheLoss
    from emb_opt_widgets.training.transform import Temperature

__all__ = [
    "CacheLoss",
    "CacheLossOutput",
    "FrequencyEstimator",
    "GumbelMax",
    "HardNegatives",
    "MaxScore",
    "NegativeCache",
    "RankingMetrics",
    "Retrieval",
    "RetrievalLoss",
    "SentenceLoss",
    "SentenceTower",
    "ShardedCacheLoss",
    "Temperature",
    "TopKAccuracy",
    "Training",
    "encode",
    "encoded_source",
    "load",
    "mine_hard_negatives",
]

_HOMES = {
    "CacheLoss": "cache_loss",
    "CacheLossOutput": "cache_loss",
    "FrequencyEstimator": "frequency",
    "GumbelMax": "retrieval",
    "HardNegatives": "mining",
    "MaxScore": "retrieval",
    "NegativeCache": "cache",
    "RankingMetrics": "qrels",
    "Retrieval": "retrieval",
    "RetrievalLoss": "retrieval_loss",
    "SentenceLoss": "sentence",
    "SentenceTower": "sentence",
    "ShardedCacheLoss": "sharded",
    "Temperature": "transform",
    "TopKAccuracy": "accuracy",
    "Training": "loop",
    "encode": "encoding",
    "encoded_source": "encoding",
    "load": "files",
    "mine_hard_negatives": "mining",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needing("emb_opt_widgets.training", "training"):
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

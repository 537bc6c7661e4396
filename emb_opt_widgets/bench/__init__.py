"""What this library costs, measured against its peers in one run on one machine."""

from emb_opt_widgets.bench.measure import Measure
from emb_opt_widgets.bench.rounds import measure_rounds

__all__ = ["Measure", "measure_rounds"]

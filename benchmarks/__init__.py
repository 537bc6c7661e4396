"""What this library costs and finds, measured against its peers in one run on one machine; run from a checkout."""

from benchmarks.measure import Measure
from benchmarks.rounds import measure_rounds

__all__ = ["Measure", "measure_rounds"]

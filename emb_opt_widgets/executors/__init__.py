"""Where calls run: threads, process pools, loky, MPI, Dask, Ray, submitit, behind one small protocol.

`as_workers` takes any of them. `Workers` is the protocol: how many calls run at once (`workers`), `submit`, `remake`
after a death, `close`; a `Call` tells when it has `begun` and how it ended (`reply`), and can be taken back (`cancel`)
or left behind (`leave`). `emb_opt_widgets.testing.check_executor` tries out what another one promises.

Knows nothing of items, scores or searches.
"""

from __future__ import annotations

from emb_opt_widgets.executors.adapt import as_workers
from emb_opt_widgets.executors.call import Call, Reply, Workers
from emb_opt_widgets.executors.futures import FutureWorkers
from emb_opt_widgets.executors.threads import Inline, Threads

__all__ = ["Call", "FutureWorkers", "Inline", "Reply", "Threads", "Workers", "as_workers"]

"""`Runner`: a search made of plugins."""

from __future__ import annotations

import numpy as np

from emb_opt_widgets.compat.build import awaiting_batch
from emb_opt_widgets.compat.data_source import DataSourceModule
from emb_opt_widgets.compat.filter import FilterModule
from emb_opt_widgets.compat.log import Log
from emb_opt_widgets.compat.proposed import Proposed
from emb_opt_widgets.compat.prune import PruneModule
from emb_opt_widgets.compat.rounds import Round, statistics
from emb_opt_widgets.compat.schemas import (
    Batch,
    DataSourceFunction,
    FilterFunction,
    PruneFunction,
    ScoreFunction,
    UpdateFunction,
)
from emb_opt_widgets.compat.score import ScoreModule
from emb_opt_widgets.compat.session import Session
from emb_opt_widgets.compat.strategies import as_strategy, propose
from emb_opt_widgets.compat.update import UpdateModule
from emb_opt_widgets.errors import InputError

__all__ = ["Runner"]


class Runner:
    """A search made of plugins, over this project's engine.

    Args:
        data_plugin: From queries to what they find.
        filter_plugin: From items to verdicts. None: all may be scored.
        score_plugin: From items to scores.
        prune_plugin: From scored queries to verdicts. None: all go on.
        update_plugin: From scored queries to new ones.
    """

    def __init__(
        self,
        data_plugin: DataSourceFunction,
        filter_plugin: FilterFunction | None,
        score_plugin: ScoreFunction,
        prune_plugin: PruneFunction | None,
        update_plugin: UpdateFunction,
    ) -> None:
        self.data_module = DataSourceModule(data_plugin)
        self.filter_module = FilterModule(filter_plugin)
        self.score_module = ScoreModule(score_plugin)
        self.prune_module = PruneModule(prune_plugin)
        self.update_module = UpdateModule(update_plugin)

    def prepare_batch(self, batch: Batch, iteration: int) -> None:
        """Tell the queries that there are which round this is."""
        if batch._whence() is None:
            for query in batch.queries:
                query.update_internal(iteration=iteration)

    def step(self, batch: Batch, log: Log, iteration: int, verbose: bool = True) -> Batch | None:
        """One round.

        Args:
            batch: The queries that look.
            log: Where the round is noted.
            iteration: Its number.
            verbose: Print the mean score of each query that goes on.

        Returns:
            The new queries; None where no query goes on.
        """
        if self.score_module.function is None:
            raise InputError("Runner needs a score function", expected="score_plugin", got=None)
        self.prepare_batch(batch, iteration)
        session = next((known for known in log._sessions if known.fits(self)), None)
        if session is None:
            session = Session(self)
        else:
            log._sessions.remove(session)
        round = session.run(self, batch, iteration)
        log._sessions.append(session)
        log.add_batch(batch)
        self.report_scores(batch, iteration, verbose)
        if round is None or not (len(list(batch.valid_queries())) if round.touched else len(round.active())):
            return None
        return self._update(batch, round)

    def _update(self, batch: Batch, round: Round) -> Batch:
        ours = as_strategy(self.update_module.function) if type(self.update_module) is UpdateModule else None
        if ours is None or round.touched:
            return self.update_module(batch)
        nodes, session = round.active(), round.session
        made = propose(ours, session.queries(nodes), session.view())
        return awaiting_batch(Proposed(session, ours, nodes, made))

    def search(
        self, batch: Batch, iterations: int, log: Log | None = None, verbose: bool = True
    ) -> tuple[Batch | None, Log]:
        """Rounds, until they are done or no query goes on.

        Args:
            batch: The first queries.
            iterations: How many rounds at most.
            log: To go on with. None: a new one.
            verbose: As in `step`.

        Returns:
            The next queries, or None, and the log.
        """
        log = Log() if log is None else log
        following: Batch | None = batch
        first = len(log.batch_log)
        for iteration in range(first, first + iterations):
            if following is None:
                break
            following = self.step(following, log, iteration, verbose)
        return following, log

    def report_scores(self, batch: Batch, iteration: int, report: bool) -> None:
        """Print the mean score of each query that goes on."""
        if not report:
            return
        later = batch._whence()
        if isinstance(later, Round):
            means = later.means().tolist()
        else:
            means = [np.nan if (mean := statistics(query)[0]) is None else mean for query in batch.valid_queries()]
        print(iteration, " ".join(f"{mean:.2f}" for mean in means))

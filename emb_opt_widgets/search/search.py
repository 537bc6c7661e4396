"""The live search, as people type it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args, overload
from weakref import WeakKeyDictionary, ref

import numpy.typing as npt

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.bound import BoundSource
from emb_opt_widgets.engine.calls import Calls
from emb_opt_widgets.engine.costs import Cost, amount, describe_cost, describe_noise
from emb_opt_widgets.engine.items import Item, Items
from emb_opt_widgets.engine.limits import MAX_QUERIES
from emb_opt_widgets.engine.protocols import (
    Direction,
    FilterFunction,
    ItemsLike,
    Numbers,
    OnError,
    PruneLike,
    QueriesLike,
    Responses,
    ScoreFunction,
    SourceLike,
    UpdateLike,
)
from emb_opt_widgets.engine.state import State
from emb_opt_widgets.engine.status import Activity, RunStatus
from emb_opt_widgets.engine.until import Until, describe_until
from emb_opt_widgets.executors import as_workers
from emb_opt_widgets.live import display, registry
from emb_opt_widgets.live.event_log import EventLog
from emb_opt_widgets.live.integers import whole_number
from emb_opt_widgets.live.notices import Notices
from emb_opt_widgets.live.progress import see_through
from emb_opt_widgets.live.run import waited
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.live.store import MemoryStore, SQLiteStore, Store
from emb_opt_widgets.search.ask_tell import ask, give_back, pending, tell
from emb_opt_widgets.search.copying import save_copy
from emb_opt_widgets.search.engine import SearchRun, activity_of, driven, note_weakness
from emb_opt_widgets.search.explaining import (
    Explanation,
    NodeExplanation,
    OperatorTable,
    explain,
    operators_of,
)
from emb_opt_widgets.search.growing import extend
from emb_opt_widgets.search.known import known_events
from emb_opt_widgets.search.previews import PrunePreview, prune_preview
from emb_opt_widgets.search.progress import bar_of
from emb_opt_widgets.search.results import BestItem, MeasurementTable, QueryTree, Results
from emb_opt_widgets.search.settings import (
    Functions,
    check_score,
    check_setting,
    describe_queries,
    described_calls,
    one_of,
)
from emb_opt_widgets.search.snapshot import best_of, measurements_of, results_of, tree_of
from emb_opt_widgets.search.steering import Steering
from emb_opt_widgets.sources import as_source

__all__ = ["Search"]


_driven: WeakKeyDictionary[SearchRun, ref[Search]] = WeakKeyDictionary()


class Search:
    """A search for the highest-scoring items of a source, with as few score calls as possible.

    Args:
        source: A source, or what `as_source` accepts: an `(n, d)` array (numpy, torch, memmap), a
            `faiss.Index`, a `datasets.Dataset` with a faiss index.
        score: `Items` to `(n,)` numbers, to a list of score responses, or to an awaitable of either; NaN or
            None: not valid. None where scores come from elsewhere (`ask`, `tell`).
        filter: `Items` to `(n,)` booleans, or to a list of filter responses. Asked once for each item.
        update: Turns scored queries into new queries: a strategy, or a function. None: the default strategy.
        prune: Decides which scored queries go on: a pruner, or a function. None: all.
        k: Hits per query. None: 10, or as many items as there are. The default strategy does not use it where the
            source can be read through: there it names the items themselves.
        queries: A number of random starts, drawn from the source by seed; a `(q, d)` array; or item ids.
        direction: "maximize" or "minimize".
        budget: Most that is ever paid for: calls, or what `cost` counts. None: no limit. Where an update's queries
            have converged and there is budget left, a run without a number of rounds goes on from items that none has
            found yet.
        seed: Of every random choice.
        executor: Where score calls run: a `concurrent.futures.Executor` (threads, processes, loky, MPI), a Dask
            `Client`, the module `ray`, a submitit executor, or a function that makes one. None:
            the search's own thread.
        batch_size: Items per score call. None: all of a round at once, or one each with an executor. The default
            strategy's rounds are multiples of it, times the executor's workers.
        retries: How often a failing score call is repeated.
        timeout: Seconds a score call may take.
        on_error: "record": an item whose score fails is removed, with the error as the reason. "raise": the
            search fails.
        calls: How score calls are made, in one piece: `Calls(workers, rate_limit, retries, backoff, …)`.
        known: What was measured before, and is not paid now: a DataFrame as `tell` takes it, a pair (ids, scores), or
            the path of an earlier search's file. The models start from it.
        noise: Standard deviation of one measurement: a number, a payload column, or "estimate" (from items measured
            more than once). None: exact, unless `tell` says otherwise.
        cost: What the budget counts: `eow.Cost(by=…, unit=…)`. None: calls.
        until: Other endings: `eow.Until(score=…, no_better_for=…, seconds=…)`.
        max_queries: Queries that look in one round at most; of more than that, those that come of the best queries
            go on, and a notice says so. None: no limit.
        path: The search's file, made anew. None: in memory.
        name: For people.

    Raises:
        InputError: An argument is not usable.
        FileError: The file cannot be made.
    """

    def __init__(
        self,
        source: SourceLike,
        score: ScoreFunction | None = None,
        *,
        filter: FilterFunction | None = None,
        update: UpdateLike | None = None,
        prune: PruneLike | None = None,
        k: int | None = None,
        queries: QueriesLike = 5,
        direction: Direction = "maximize",
        budget: int | None = None,
        seed: int = 0,
        executor: object = None,
        batch_size: int | None = None,
        retries: int = 0,
        timeout: float | None = None,
        on_error: OnError = "record",
        calls: Calls | None = None,
        known: object = None,
        noise: float | str | None = None,
        cost: Cost | None = None,
        until: Until | None = None,
        max_queries: int | None = MAX_QUERIES,
        path: str | Path | None = None,
        name: str | None = None,
    ) -> None:
        bound = BoundSource(as_source(source))
        given = {
            "k": k, "budget": budget, "update": update, "prune": prune, "filter": filter,
        }  # fmt: skip
        priced = describe_cost(cost, bound)
        checked = {key: check_setting(key, value, bound, 0.0, priced) for key, value in given.items()}
        called = {"batch_size": batch_size, "retries": retries, "timeout": timeout, "on_error": on_error}
        checked |= described_calls(calls, called)
        one_of("direction", direction, get_args(Direction))
        check_score(score)
        workers = None if executor is None else as_workers(executor)
        functions = Functions()
        config: dict[str, Any] = {key: functions.note(key, value) for key, value in checked.items()}
        config["score"] = functions.note("score", score)
        config["direction"] = direction
        config["queries"] = describe_queries(queries, bound)
        config["name"] = "search" if name is None else str(name)
        more = {"cost": priced, "noise": describe_noise(noise, bound), "until": describe_until(until)}
        config.update((key, value) for key, value in more.items() if value is not None)
        if max_queries != MAX_QUERIES:
            config["max_queries"] = whole_number("max_queries", max_queries, 1, optional=True)
        before = known_events(known, bound)
        created = ev.Created(config, bound.fingerprint(), whole_number("seed", seed, 0) or 0)
        store: Store = MemoryStore() if path is None else SQLiteStore(path, create=True)
        self._drive(driven(bound, functions, workers, store, State(bound.vectors)))
        self._controller.emit([created, *before])
        note_weakness(self._controller)

    @classmethod
    def driven_by(cls, controller: SearchRun) -> Search:
        """The search of a controller that is there already (`load`, `replay`): the same one while it lives."""
        known = _driven.get(controller)
        search = None if known is None else known()
        if search is None:
            search = cls.__new__(cls)
            search._drive(controller)
        return search

    def _drive(self, controller: SearchRun) -> None:
        self._controller = controller
        _driven[controller] = ref(self)
        self._steering = Steering(controller)
        registry.note(controller)

    @property
    def controller(self) -> SearchRun:
        """What drives the search; for front ends."""
        return self._controller

    @property
    def steering(self) -> Steering:
        """Its commands, as front ends give them; for front ends."""
        return self._steering

    # -- running -------------------------------------------------------------------------------------------

    def run(self, rounds: int | None = None, progress: bool = True) -> Results:
        """Run until the search ends, and return what it found. An interrupt (Ctrl-C, the stop button) pauses it.

        Args:
            rounds: How many more rounds. None: until the budget is spent or something else ends it; after a
                pause or a resume from a file, the rounds asked for before. Where the budget is spent there is
                nothing to do, and it only returns.
            progress: Show a progress bar.

        Raises:
            StateError: It cannot go on from here.
            EmbOptError: What ended it, where `on_error` is "raise" or a function broke its contract.
        """
        live = self._controller
        if rounds is None and not live.running and live.engine.over:
            return self.results()
        if not live.running or rounds is not None:
            self.start(rounds)
        see_through(live, bar_of(live.state) if progress else None)
        return self.results()

    def start(self, rounds: int | None = None) -> None:
        """Run in the search's own thread; returns at once.

        Args:
            rounds: As in `run`.

        Raises:
            StateError: It runs already, or cannot go on from here.
        """
        self._steering.start(rounds)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the search is at rest: paused, stopped, finished or failed.

        Args:
            timeout: Seconds. None: as long as it takes.

        Returns:
            Whether it is at rest.
        """
        return self._controller.wait(timeout)

    async def wait_async(self) -> Results:
        """Wait for the search to be at rest without blocking the kernel; returns the results."""
        while self._controller.running:
            await asyncio.sleep(0.05)
        return self.results()

    # -- commands ------------------------------------------------------------------------------------------

    def pause(self, note: str = "") -> bool:
        """Make no new score calls; the one in flight finishes and is kept. Thinking is given up, and begins anew later.

        Returns:
            Whether the search rests: False where a call in flight takes longer than a second, which is not waited for.
        """
        self._steering.pause(Asked(note=note))
        return self._controller.settle()

    def stop(self, note: str = "") -> bool:
        """End the search; the call in flight finishes and is kept. `run()` would go on from here.

        Returns:
            As `pause` does.
        """
        self._steering.stop(Asked(note=note))
        return self._controller.settle()

    def resume(self, note: str = "") -> None:
        """Go on after a pause; returns at once."""
        self._controller.settle()
        self._steering.resume(Asked(note=note))

    def step(self, n: int = 1, note: str = "") -> bool:
        """Run `n` rounds, then pause; returns when they are done, or after a second: whether the search rests."""
        self._steering.step(n, Asked(note=note))
        return self._controller.settle(stepping=True)

    def branch(
        self,
        node: int | None = None,
        *,
        item: int | str | None = None,
        embedding: npt.ArrayLike | None = None,
        update: UpdateLike | None = None,
        note: str = "",
    ) -> list[int]:
        """New queries: from a node's scored hits, from an item, or from a point.

        With the default strategy a branch means from here on: its own hits are scored next, and for three rounds
        branches share a fifth of the calls, around their places: by distance until a few scores are known there, then
        by what the models expect. After that they get what their calls have earned. (Where a source can only be asked,
        or makes its items up, the own hits are all.)

        Args:
            node: Whose scored hits the update is applied to, even if it is old or pruned; with `item` or
                `embedding`: the parent of the new query.
            item: Id of an item to look from.
            embedding: `(d,)` point to look from.
            update: The update to apply. None: the search's own.
            note: Why, for the log.

        Returns:
            Ids of the new nodes.

        Raises:
            InputError: Unknown node or item, or a point that is not usable.
            StateError: Nothing is scored there, or nothing is left to spend.
        """
        asked = Asked(note=note)
        return waited(self._steering.branch(node, item=item, embedding=embedding, update=update, asked=asked))

    def prune_node(self, node: int, subtree: bool = True, note: str = "") -> None:
        """Make a node, and with `subtree` all below it, inactive. They stay visible; `undo` or `restore` reverse it.

        With the default strategy a prune means there: the unscored items most of whose 15 nearest scored items belong
        to pruned nodes are closed, as things stand at this moment. None of them is proposed until it is reversed. What
        is in flight is kept, and known scores stay known.
        """
        waited(self._steering.prune_node([node], subtree, Asked(note=note)))

    def prune_preview(self, node: int | Sequence[int], subtree: bool = True) -> PrunePreview:
        """What `prune_node` would do: how many nodes it would make inactive, how many unscored items it would close,
        and the best score among what they found. Changes nothing."""
        return prune_preview(self._controller, list(node) if isinstance(node, (list, tuple)) else [node], subtree)  # type: ignore[list-item]

    @overload
    def explain(self, item: int | str | Item) -> Explanation: ...

    @overload
    def explain(self, *, node: int) -> NodeExplanation: ...

    def explain(
        self, item: int | str | Item | None = None, *, node: int | None = None
    ) -> Explanation | NodeExplanation:
        """Why: what is known and thought of an item; or what a node and all below it cost and found.

        With the default strategy: what each of its models expects of the item and how far it is to be trusted, the
        scored items that this rests on, and the item's place among all. Changes nothing, and may be asked at any time.

        Args:
            item: An id, or an `Item`. node: A node's id, instead.

        Raises:
            InputError: Neither or both, or the source has no such item.
            UnknownNodeError: The tree has no such node.
        """
        return explain(self._controller, item, node)

    @property
    def operators(self) -> OperatorTable:
        """What each operator cost and found so far, a person's branches among them."""
        return operators_of(self._controller)

    def restore(self, node: int, note: str = "") -> None:
        """Reverse a prune, a person's or the pruner's."""
        waited(self._steering.restore([node], Asked(note=note)))

    def undo(self, note: str = "") -> None:
        """Reverse the last branch, prune, restore or set."""
        waited(self._steering.undo(Asked(note=note)))

    def redo(self, note: str = "") -> None:
        """Do again what was undone last."""
        waited(self._steering.redo(Asked(note=note)))

    def set(self, note: str = "", **settings: object) -> None:
        """Change settings from the next round on: k, budget, update, prune, filter, until, noise, and how score calls
        are made: `calls=Calls(…)`, or one of its settings by name (batch_size, retries, timeout, on_error, …).

        At rest also `score`, the function itself, and `executor`, where it runs. What was scored stays; `retry` asks
        for what failed anew. `undo` takes all of it back but the executor, which is no part of the log.

        Raises:
            InputError: A setting is not usable. Nothing is changed then.
            StateError: The search is running, and `score` or `executor` is to be set.
        """
        waited(self._steering.set(settings, Asked(note=note)))

    def retry(self, items: ItemsLike | None = None, note: str = "") -> None:
        """Open failed items again: their scores are asked for anew, and paid again.

        Args:
            items: Ids, `Items` or an `Item`. None: all that failed.
            note: Why, for the log.

        Raises:
            InputError: An item that did not fail, or more than the budget allows. Nothing is changed then.
        """
        waited(self._steering.retry(items, Asked(note=note)))

    # -- scores from elsewhere -----------------------------------------------------------------------------

    def ask(self, n: int = 1) -> Items:
        """The next items to score elsewhere: `n` while there are any and the budget allows, however many are pending.

        Each is handed out once, and pending until it is told or given back; they reserve their part of the budget.
        With a strategy that waits for all of a round (all but the default one do) there are fewer before the answers
        of a round that is handed out. `predicted`, `deviation`, `operator` and `reason` say why each was chosen.

        Raises:
            StateError: The search is running.
        """
        return ask(self._controller, whole_number("n", n, 1) or 1)

    @property
    def pending(self) -> Items:
        """What is handed out and has no answer yet."""
        return pending(self._controller)

    def give_back(self, items: ItemsLike) -> None:
        """Items of `ask` that are not measured after all: free again, nothing paid.

        Raises:
            InputError: One that is not pending. Nothing is changed then.
        """
        give_back(self._controller, items)

    def tell(
        self,
        items: ItemsLike,
        scores: Numbers | Responses | None = None,
        noise: npt.ArrayLike | None = None,
        paid: bool = True,
        replace: bool = False,
        note: str = "",
    ) -> None:
        """Scores from elsewhere, for items of `ask` or any others of the source; in parts, late, in any order.

        Each score is a measurement: an item that is told again has the mean of its measurements (weighted where their
        noise is known) as its score.

        Args:
            items: `Items`, an `Item`, or ids; or a DataFrame (ids from a column `id`, else its index; `score`, and
                `noise` and `cost` if there; other columns are kept as data), or a Series with the ids as its index.
            scores: As a score function returns them; a Series is aligned by its index. None where `items` has them.
            noise: Standard deviation of a measurement: one number, or one each. None: unknown.
            paid: Whether the budget pays for them. False: known from elsewhere.
            replace: They take the place of all that was measured of these items; costs nothing, and `undo` takes it
                back.
            note: Why they are replaced, for the log.

        Raises:
            InputError: Unknown ids, an item twice, a score too many or too few, more than the budget allows, a negative
                noise or cost, or nothing to replace. Nothing is changed then.
        """
        tell(self._controller, items, scores, noise, paid, replace, note)

    def extend(self, items: Items | SourceLike) -> None:
        """Add items to the library of a search at rest, where its source can grow.

        Args:
            items: `Items` with ids of their own; or vectors, as `as_source` takes them: without ids they are numbered
                on from the last.

        Raises:
            InputError: The source cannot grow, or the items do not fit. Nothing is changed then.
            StateError: The search is running.
        """
        extend(self._controller, items)

    # -- looking -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """For people."""
        return str(self._controller.state.config["name"])

    @property
    def status(self) -> RunStatus:
        """Where the search stands."""
        return self._controller.status

    @property
    def reason(self) -> str:
        """Why it stands there, and what to do next: a sentence."""
        return self._controller.reason

    @property
    def activity(self) -> Activity:
        """What it does just now: retrieving, scoring, thinking, waiting (for scores from elsewhere) or resting."""
        with self._controller.lock:
            return activity_of(self._controller)

    @property
    def notices(self) -> Notices:
        """What a person should know beside: what failed in a subscriber or a display, what weakens the search."""
        return self._controller.notices

    @property
    def n_scored(self) -> int:
        """Unique items whose score was paid for, failed ones included; not what was known before."""
        return self._controller.state.n_scored

    @property
    def n_rounds(self) -> int:
        """Rounds done."""
        return self._controller.state.n_rounds

    @property
    def settings(self) -> dict[str, Any]:
        """The present configuration, as plain values."""
        with self._controller.lock:
            return dict(self._controller.state.config)

    @property
    def best(self) -> BestItem | None:
        """The best item so far, or None.

        Where scores are not exact (`noise=`, items measured again), and the strategy is the default, `score` is what
        its models believe of the item, and `basis` is "believed"; else the mean of what was measured ("measured").
        """
        with self._controller.lock:
            engine = self._controller.engine
            return best_of(self._controller.state, engine.gather, engine.believed())

    @property
    def measurements(self) -> MeasurementTable:
        """Every measurement so far, as columns."""
        with self._controller.lock:
            return measurements_of(self._controller.state)

    @property
    def tree(self) -> QueryTree:
        """The queries so far, as columns."""
        with self._controller.lock:
            return tree_of(self._controller.state)

    @property
    def events(self) -> EventLog:
        """What happened, in order."""
        return EventLog(self._controller.store, self._controller.lock)

    def subscribe(self, function: Callable[[Sequence[ev.Event]], object]) -> Callable[[], None]:
        """Have a function told of all that happens from here on: it is called with the new events, in order.

        It is called in the search's thread, which waits for it: it must be quick. It may steer the search. What it
        raises becomes a notice, and harms nobody.

        Returns:
            A function that ends it.
        """
        return self._controller.subscribe(function)

    def results(self, n: int | None = None, include_removed: bool = False) -> Results:
        """What was found, best first.

        Args:
            n: At most so many. None: all.
            include_removed: Also items that were filtered out or have no score, last.
        """
        whole_number("n", n, 1, optional=True)
        with self._controller.lock:
            return results_of(self._controller.state, self._controller.engine.gather, n, include_removed)

    def to_html(self, path: str | Path) -> Path:
        """Write a report: one file, readable offline, that runs nothing."""
        from emb_opt_widgets.report import write_report

        return write_report(self, path)

    def save_copy(self, path: str | Path) -> None:
        """Write all of the search to a new file, also while it runs: whole, or not at all.

        Where its own file was deleted, renamed or replaced meanwhile, the search goes on in the copy. A search that
        lives in memory goes on there.

        Raises:
            FileError: There is something of that name, or it cannot be written.
        """
        save_copy(self._controller, path)

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        self._controller.close()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state, budget, best = self._controller.state, self.settings["budget"], self.best
        limit = f" of {amount(budget)}" if budget else ""
        spent = f"{self.n_scored:,} scored"
        if limit and (state.unit, state.spent) == ("calls", self.n_scored):
            spent = f"{self.n_scored:,}{limit} scored"
        elif limit:
            spent = f"{amount(state.spent)}{limit} {state.unit} spent, {spent}"
        spent += f" ({state.n_failed:,} failed)" if state.n_failed else ""
        shown = "" if best is None else f", best {best.score:.6g} ({best.id})"
        return f"Search {self.name!r}: {self.status}, round {self.n_rounds}, {spent}{shown}"

    def _repr_html_(self) -> str:
        from emb_opt_widgets.report import search_summary

        return search_summary(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return display.bundle(self)

    def _ipython_display_(self) -> None:
        if not display.show(self):
            raise NotImplementedError("the caller shows what _repr_mimebundle_ says")

"""A training, as people type it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from emb_opt_widgets.engine import events as ev
from emb_opt_widgets.engine.status import RunStatus
from emb_opt_widgets.errors import StateError
from emb_opt_widgets.live import display
from emb_opt_widgets.live.event_log import EventLog
from emb_opt_widgets.live.notices import Notices
from emb_opt_widgets.live.progress import see_through
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.live.store import MemoryStore, Store
from emb_opt_widgets.training.assembly import Ingredients, assembled, checked_config
from emb_opt_widgets.training.engine import TrainingRun, driven
from emb_opt_widgets.training.events import CacheAged
from emb_opt_widgets.training.frequency import FrequencyEstimator
from emb_opt_widgets.training.logged import numbers_of
from emb_opt_widgets.training.progress import bar_of
from emb_opt_widgets.training.qrels import RankingMetrics
from emb_opt_widgets.training.shared_shelf import kept_at
from emb_opt_widgets.training.shelf import MemoryShelf, Shelf
from emb_opt_widgets.training.state import TrainingState
from emb_opt_widgets.training.steering import TrainingSteering
from emb_opt_widgets.training.summary import training_summary

__all__ = ["Training"]


class Training:
    """Trains two towers so that each query's own document scores highest.

    Args:
        query_net: The query tower: a module from queries to embeddings `(n, d)` or, with heads, `(n, h, d)`.
        doc_net: The document tower, `(n, d)`. May be the same module.
        data: What to learn from. A tuple of columns `(queries, documents)` or `(queries, documents, ids)`; a mapping
            of columns with some of query, document, negative, id, negative_id, weight; a `pandas.DataFrame` or a
            `datasets.Dataset` with such columns (or anchor, positive, negative_1 …); a `Dataset` or a list of pairs:
            all these are shuffled anew for every epoch and batched here (what does not fill a batch waits for
            another epoch). Several negatives a query are `(n, k, …)`, lists of lists, or a tuple of columns.
            Or what makes batches itself: a `DataLoader`, or a function from the epoch's number to an iterable of such
            tuples or mappings. A column is a tensor, an array, a list, or a mapping of these.
        loss: `RetrievalLoss`, or `CacheLoss` where there are caches, or what is called like one of them; it is given
            those of their named arguments that the batches have and it takes (ids among them). None:
            `RetrievalLoss(reduction="mean")`, or `CacheLoss`. Towers whose vectors have length 1 need a temperature.
        caches: Negatives of earlier steps: the rows of a cache made to fit; a `NegativeCache`; or several by name
            (the batch's mapping then says under "cache" which one its documents go to).
        frequency: Estimates how often each document is drawn, for the correction in `RetrievalLoss`; needs ids.
        optimizer: A `torch.optim.Optimizer`, or a function from the parameters of towers and loss to one. None:
            AdamW, learning rate 0.001.
        scheduler: A learning-rate scheduler or a function from the optimizer to one. It steps with the optimizer;
            `ReduceLROnPlateau` with the evaluations.
        epochs: How long, where `run` is not told. None: only `steps` or `patience` end it.
        steps: The same in steps of the optimizer; whichever comes first.
        batch_size: Pairs of a batch, where they are made here, and rows at a time in evaluations.
        chunk_size: Rows at a time through a tower with a gradient (GradCache): batches larger than memory, the same
            gradient, a second forward pass. None: all at once.
        accumulate: Batches of one step; its gradient is their mean.
        clip_norm: Longest gradient of a step. None: any.
        precision: "float32", "bf16" or "fp16" (with a gradient scaler): what the towers compute in, by autocast.
        device: "auto" (a CUDA device where there is one, else the processor) or a torch device.
        validation: Held-out pairs to evaluate on: two columns `(queries, documents)`. By scores: several queries may
            have equal documents.
        corpus: Further documents to rank among, a column.
        ks: Places at which accuracy is counted.
        monitor: The k that is watched. None: 10, or the first of `ks`.
        evaluate_every: Steps between evaluations, and looks at the caches' ages. None: after every epoch. What ends by
            itself is evaluated at its end, too.
        patience: End when so many evaluations in a row did not better the best. None: never.
        checkpoint_every: Steps between checkpoints, where there is a path; one is made whenever it comes to rest, too.
        seed: Of the order of the data and of all that towers, losses and data draw. The towers' first parameters are
            the caller's.
        path: The training's file, made anew; checkpoints stand beside it. None: in memory.
        name: For people.
        process_group: Who trains along. "auto": all processes, where torchrun or `torch.distributed` made several; each
            constructs the same training and calls the same methods. They start from the parameters of process 0; each
            has its own `batch_size` pairs of every step, the documents of all are negatives for each query, and
            gradients (and batch statistics) are averaged. Process 0 has the file and shows the progress. With
            `CacheLoss` each process has a cache of its own, with `ShardedCacheLoss` they share one. None: this
            process trains alone.

    A training killed at any moment goes on by `load`, and gives bit for bit what an uninterrupted one gives: on the
    processor with one thread, where the data gives the same batches in the same epoch.

    Raises:
        InputError: An argument is not usable, or does not fit the others.
        FileError: The file cannot be made.
        MissingDependencyError: `path` needs safetensors.
    """

    def __init__(
        self,
        query_net: nn.Module,
        doc_net: nn.Module,
        data: object,
        *,
        loss: Callable[..., Any] | None = None,
        caches: object = None,
        frequency: FrequencyEstimator | None = None,
        optimizer: object = None,
        scheduler: object = None,
        epochs: int | None = 10,
        steps: int | None = None,
        batch_size: int = 64,
        chunk_size: int | None = None,
        accumulate: int = 1,
        clip_norm: float | None = None,
        precision: str = "float32",
        device: str | torch.device = "auto",
        validation: object = None,
        corpus: object = None,
        ks: Sequence[int] = (1, 10, 100),
        monitor: int | None = None,
        evaluate_every: int | None = None,
        patience: int | None = None,
        checkpoint_every: int = 100,
        seed: int = 0,
        path: str | Path | None = None,
        name: str | None = None,
        process_group: object = "auto",
    ) -> None:
        config = checked_config(
            epochs=epochs, steps=steps, batch_size=batch_size, accumulate=accumulate, clip_norm=clip_norm,
            precision=precision, ks=ks, monitor=monitor, evaluate_every=evaluate_every, patience=patience,
            checkpoint_every=checkpoint_every, seed=seed, name=name, chunk_size=chunk_size,
        )  # fmt: skip
        given = Ingredients(
            query_net, doc_net, data, loss, caches, frequency, optimizer, scheduler, validation, corpus, device,
            process_group,
        )  # fmt: skip
        learner, described = assembled(given, config)
        store: Store = MemoryStore()
        shelf: Shelf = MemoryShelf()
        if path is not None:
            store, shelf = kept_at(path, learner.together)
        self._controller = driven(learner, store, shelf, TrainingState())
        self._controller.emit([ev.Created(config, described, config["seed"])])

    @classmethod
    def driven_by(cls, controller: TrainingRun) -> Training:
        """The training of a controller that is there already (`load`)."""
        training = cls.__new__(cls)
        training._controller = controller
        return training

    @property
    def controller(self) -> TrainingRun:
        """What drives the training; for front ends."""
        return self._controller

    @property
    def steering(self) -> TrainingSteering:
        """The commands, for front ends: who asks is told to the log, and nothing waits."""
        return TrainingSteering(self._controller)

    # -- running -------------------------------------------------------------------------------------------

    def run(self, steps: int | None = None, progress: bool = True) -> dict[str, npt.NDArray[Any]]:
        """Train until the end, and return the metrics. An interrupt (Ctrl-C, the stop button) pauses it.

        Args:
            steps: How many more. None: until the settings end it; after an interruption, the steps asked for before.
                Where the settings have ended it already there is nothing to do, and it only returns.
            progress: Show a progress bar.

        Raises:
            StateError: It cannot go on from here.
            EmbOptError: What ended it.
        """
        live = self._controller
        if steps is None and not live.running and live.state.status is RunStatus.FINISHED and live.engine.over:
            return self.metrics
        if not live.running or steps is not None:
            self.start(steps)
        together = live.engine.learner.together
        shown = progress and (together is None or together.first)
        see_through(live, bar_of(live.state) if shown else None)
        return self.metrics

    def start(self, steps: int | None = None) -> None:
        """Train in a thread of its own; returns at once.

        Args:
            steps: As in `run`.

        Raises:
            StateError: It runs already, or the settings have ended it.
        """
        self.steering.start(steps)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the training is at rest: paused, stopped, finished or failed.

        Args:
            timeout: Seconds. None: as long as it takes.

        Returns:
            Whether it is at rest.
        """
        return self._controller.wait(timeout)

    async def wait_async(self) -> dict[str, npt.NDArray[Any]]:
        """Wait for the training to be at rest without blocking the kernel; returns the metrics."""
        while self._controller.running:
            await asyncio.sleep(0.05)
        return self.metrics

    # -- commands ------------------------------------------------------------------------------------------

    def pause(self, note: str = "") -> bool:
        """Come to rest after the step in flight.

        Returns:
            Whether it rests: False where the step takes longer than a second, which is not waited for.
        """
        self.steering.pause(Asked(note=note))
        return self._controller.settle()

    def stop(self, note: str = "") -> bool:
        """End the training after the step in flight. `run()` would go on from here.

        Returns:
            As `pause` does.
        """
        self.steering.stop(Asked(note=note))
        return self._controller.settle()

    def resume(self, note: str = "") -> None:
        """Go on after a pause; returns at once."""
        self._controller.settle()
        self.steering.resume(Asked(note=note))

    def step(self, n: int = 1, note: str = "") -> bool:
        """Do `n` steps, then pause; returns when they are done, or after a second: whether it rests. Past the end it
        goes on all the same."""
        self.steering.step(n, Asked(note=note))
        return self._controller.settle(stepping=True)

    def use_best(self, note: str = "") -> None:
        """Put the parameters of the best evaluation into the towers; training would go on from them.

        Raises:
            StateError: It is running, or nothing was evaluated yet.
        """
        self._controller.submit("use_best", note=note)

    def subscribe(self, function: Callable[[Sequence[ev.Event]], object]) -> Callable[[], None]:
        """Have a function told of all that happens from here on: it is called with the new events, in order.

        It is called in the training's thread, which waits for it: it must be quick. It may steer the training. What it
        raises becomes a notice, and harms nobody.

        Returns:
            A function that ends it.
        """
        return self._controller.subscribe(function)

    def listen(self, listener: Callable[[Sequence[ev.Body]], object]) -> Callable[[], None]:
        """As `subscribe`, as 0.1 had it: what happened without numbers and times, and an empty group when it comes to
        rest."""
        return self._controller.listen(listener)

    def log_to(self, function: Callable[[int, dict[str, float]], object]) -> Callable[[], None]:
        """Have the numbers of every step told to a logger; returns what ends it.

        Args:
            function: Called with the step and what is known after it: `loss`, `interpretable_loss`, `staleness` and
                `lr`, and after an evaluation `accuracy@k` for each k; what is not finite is left out. It must be quick.

        TensorBoard: `training.log_to(lambda step, values: [writer.add_scalar(k, v, step) for k, v in values.items()])`.
        Weights & Biases: `training.log_to(lambda step, values: wandb.log(values, step=step))`.
        """

        def told(bodies: Sequence[ev.Body]) -> None:
            for step, values in numbers_of(bodies):
                function(step, values)

        return self.listen(told)

    # -- looking -------------------------------------------------------------------------------------------

    def evaluate(self) -> dict[int, float]:
        """Top-k accuracy on the held-out pairs, here and now: k to share; notes nothing.

        Raises:
            StateError: It is running, or has no held-out pairs.
        """
        with self._controller.lock:
            if self._controller.running:
                raise StateError("evaluate() needs the training at rest", hint="pause() it first")
            found = self._controller.engine.learner.evaluate()
        if found is None:
            raise StateError("There are no held-out pairs", hint="Pass validation=(queries, documents)")
        return dict(zip(found.ks, found.accuracy.tolist()))

    def evaluate_ranking(
        self,
        queries: object,
        documents: object,
        metrics: RankingMetrics,
        query_ids: Sequence[int | str] | None = None,
        document_ids: Sequence[int | str] | None = None,
    ) -> dict[str, float]:
        """MRR, NDCG, recall and average precision by judgements, here and now; notes nothing.

        Args:
            queries, documents: Columns that the towers take. metrics: What is judged, and the places to look to.
            query_ids, document_ids: As the judgements call them. None: row numbers.

        Raises:
            StateError: It is running.
        """
        self._check_at_rest("evaluate_ranking()")
        learner = self._controller.engine.learner
        asked = learner.embeddings("query", queries).float()
        ranked = learner.embeddings("doc", documents).float()
        return metrics(asked, ranked, range(len(asked)) if query_ids is None else query_ids, document_ids)

    def _check_at_rest(self, what: str) -> None:
        if self._controller.running:
            raise StateError(f"{what} needs the training at rest", hint="pause() it first")

    @property
    def query_net(self) -> nn.Module:
        """The query tower, as it is now; `use_best` puts the best parameters into it."""
        return self._controller.engine.learner.parts.query_net

    @property
    def doc_net(self) -> nn.Module:
        """The document tower, as it is now."""
        return self._controller.engine.learner.parts.doc_net

    @property
    def name(self) -> str:
        """For people."""
        return str(self._controller.state.config["name"])

    @property
    def status(self) -> RunStatus:
        """Where the training stands."""
        return self._controller.status

    @property
    def reason(self) -> str:
        """Why it stands there, and what to do next: a sentence."""
        return self._controller.reason

    @property
    def notices(self) -> Notices:
        """What a person should know beside: what failed in a subscriber or a display."""
        return self._controller.notices

    @property
    def n_steps(self) -> int:
        """Steps done."""
        return self._controller.state.step

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return self._controller.state.epoch

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, as plain values."""
        with self._controller.lock:
            return dict(self._controller.state.config)

    @property
    def metrics(self) -> dict[str, npt.NDArray[Any]]:
        """Columns with a row for each step: step, epoch (the one it belongs to, from 0), loss, interpretable_loss (mean
        -log P of the own document), staleness (of the cache rows drawn), lr, skipped, and accuracy@k for each k (NaN
        where not evaluated)."""
        with self._controller.lock:
            return self._controller.state.metrics()

    @property
    def cache_ages(self) -> Mapping[str, CacheAged]:
        """Each cache's last histogram of ages: `edges`, `counts`, `n_valid`, and the `step` it was made at."""
        with self._controller.lock:
            return dict(self._controller.state.ages)

    @property
    def best(self) -> tuple[int, float] | None:
        """The step of the best evaluation and its accuracy at the k that is watched; None before the first."""
        state = self._controller.state
        return None if state.best_step < 0 else (state.best_step, state.best_accuracy)

    @property
    def events(self) -> EventLog:
        """What happened, in order."""
        return EventLog(self._controller.store, self._controller.lock)

    def close(self) -> None:
        """Pause if it runs, and let go of the file."""
        self._controller.close()

    def __enter__(self) -> Training:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return display.summary(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return display.bundle(self)

    def _ipython_display_(self) -> None:
        if not display.show(self):
            raise NotImplementedError("the caller shows what _repr_mimebundle_ says")

    def __repr__(self) -> str:
        best, k = self.best, self.settings["monitor"]
        shown = "" if best is None else f", best accuracy@{k} {best[1]:.4f} (step {best[0]})"
        loss = self._controller.state.latest("interpretable_loss")
        return (
            f"Training {self.name!r}: {self.status}, step {self.n_steps}, epoch {self.n_epochs}, loss {loss:.4g}{shown}"
        )


display.summary.register(Training, training_summary)

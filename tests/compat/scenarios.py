"""Random searches, written once and run with emb_opt and with our names: `play(package, seed)`."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.compat.portrait import Portrait

STORES = ("numpy", "numpy", "faiss", "huggingface", "own")


def load(package: str) -> SimpleNamespace:
    names: dict[str, Any] = {}
    for module in (
        "schemas", "utils", "executor", "module", "data_source", "filter", "score", "prune", "update", "log", "runner",
        "plugins.faiss", "plugins.huggingface", "plugins.qdrant",
    ):  # fmt: skip
        found = import_module(f"{package}.{module}")
        names.update({name: getattr(found, name) for name in found.__all__})
    return SimpleNamespace(**names)


class Scenario:
    """One random search. All choices come from the seed, none from what the package does."""

    def __init__(self, package: str, seed: int, store: str | None = None) -> None:
        self.eo = load(package)
        self.rng = np.random.default_rng(seed)
        self.package = package
        self.n, self.d, self.k = (int(self.rng.integers(*span)) for span in ((3, 60), (2, 7), (1, 14)))
        self.store = store or self.pick(*STORES)
        self.items = self.rng.standard_normal((self.n, self.d))
        if self.chance(0.25):
            self.items = np.round(self.items)
        if self.chance(0.3):
            self.items = self.items.astype(np.float32)
        self.luck = self.rng.random(self.n)
        self.named = self.chance(0.7)
        self.text = self.chance(0.3)

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def row(self, i: int, vector: bool = False) -> dict[str, Any]:
        row = {"index": f"it-{i}" if self.text else i, "item": f"thing {i}", "luck": float(self.luck[i]), "n": i % 3}
        return {**row, "embedding": self.items[i].tolist()} if vector else row

    # -- plugins -------------------------------------------------------------------------------------------

    def cutoff(self) -> float | None:
        return self.pick(None, None, float(self.rng.uniform(0.3, 3.5)))

    def data(self) -> Any:
        self.plain_answers = False
        plugin = getattr(self, f"_{self.store}")()
        if self.chance(0.4) and not self.plain_answers:
            plugin = self.eo.DataPluginGradWrapper(plugin, self.pick([0.1, 0.5, 1, 5], [0.3], np.array([-0.2, 0.7])))
        return plugin

    def _numpy(self) -> Any:
        metric = self.pick("euclidean", "euclidean", "cosine", "cityblock", "sqeuclidean", "chebyshev")
        rows = [self.row(i) for i in range(self.n)] if self.named or self.chance(0.5) else None
        id_key = "index" if self.named else None
        if rows and self.chance(0.15):
            id_key = "n"
        item_key = "item" if rows and self.chance(0.7) else None
        return self.eo.NumpyDataPlugin(self.k, self.items, rows, id_key, item_key, metric, self.cutoff())

    def _faiss(self) -> Any:
        import faiss

        self.k = min(self.k, self.n)
        vectors = self.items.astype(np.float32)
        kind = self.pick("flat", "flat", "ip", "ivf")
        params = None
        if kind == "ivf" and self.n > 12:
            index = faiss.index_factory(self.d, "IVF2,Flat")
            index.train(vectors)
            params = faiss.SearchParametersIVF(nprobe=2)
        else:
            index = faiss.IndexFlatIP(self.d) if kind == "ip" else faiss.IndexFlatL2(self.d)
        index.add(vectors)
        if params is not None:
            index.make_direct_map()
        rows = [self.row(i) for i in range(self.n)] if self.chance(0.7) else None
        return self.eo.FaissDataPlugin(self.k, index, rows, self.pick(None, "item"), params, self.cutoff())

    def _huggingface(self) -> Any:
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()
        dataset = Dataset.from_list([self.row(i, vector=True) for i in range(self.n)])
        dataset.add_faiss_index("embedding")
        keys = (self.pick(None, "item"), "index" if self.named else None)
        return self.eo.HugggingfaceDataPlugin(self.k, dataset, "embedding", *keys, self.cutoff())

    def _qdrant(self) -> Any:
        from tests.compat.qdrant import old_client, revive

        if self.package == "emb_opt":
            revive(import_module("emb_opt.plugins.qdrant"))

        # Not Cosine: the local mode scales its vectors anew whenever it is asked, and they drift.
        client = old_client(self.items, [self.row(i) for i in range(self.n)], self.pick("Euclid", "Dot"))
        return self.eo.QdrantDataPlugin(self.k, "things", client, self.pick(None, "item"), None, self.cutoff())

    def _own(self) -> Any:
        """A user's own data function."""
        as_dicts, tells, refuses = self.chance(0.5), self.chance(0.5), self.chance(0.2)
        self.plain_answers = as_dicts  # which emb_opt's wrapper does not take
        eo, k, vectors = self.eo, min(self.k, self.n), self.items
        same = {i: eo.Item.from_minimal(i, embedding=vectors[i]) for i in range(self.n)} if self.chance(0.2) else None

        def look(queries: list[Any]) -> list[Any]:
            out = []
            for query in queries:
                far = ((vectors - np.array(query.embedding)) ** 2).sum(1)
                best = np.argsort(far, kind="stable")[:k]
                data = [{"luck": float(self.luck[i]), **({"far": float(far[i])} if tells else {})} for i in best]
                rows = [
                    {
                        "id": int(i) if self.named else None, "item": f"thing {i}", "embedding": vectors[i].tolist(),
                        "score": None, "data": told,
                    }
                    for i, told in zip(best, data)
                ]  # fmt: skip
                found = [same[i] for i in best] if same is not None and not as_dicts else rows
                valid = not (refuses and far.min() > 3)
                answer = {"valid": valid, "data": {"nearest": float(far.min())}, "query_results": found}
                out.append(answer if as_dicts else eo.DataSourceResponse(**answer))
            return out

        return look

    def filter(self) -> Any:
        limit, kind = self.pick(0.2, 0.6, 0.9), self.pick("none", "none", "typed", "dicts", "composite", "data")
        eo = self.eo

        def luck(item: Any) -> float:
            return float(abs(np.sin(sum(item.embedding) * 12.9)))

        def typed(items: list[Any]) -> list[Any]:
            told = [{"luck": luck(i)} if kind == "data" else None for i in items]
            return [eo.FilterResponse(valid=luck(i) < limit, data=data) for i, data in zip(items, told)]

        def dicts(items: list[Any]) -> list[Any]:
            return [{"valid": luck(i) < limit, "data": {"width": len(i.embedding)}} for i in items]

        def other(items: list[Any]) -> list[Any]:
            return [eo.FilterResponse(valid=luck(i) > 0.05, data={"second": True}) for i in items]

        composite = eo.CompositeFilterPlugin([typed, other])
        return {"none": None, "typed": typed, "data": typed, "dicts": dicts, "composite": composite}[kind]

    def score(self) -> Any:
        kind = self.pick("plain", "plain", "plain", "rounded", "some invalid", "dicts", "composite", "integers")
        eo, target = self.eo, self.rng.standard_normal(self.d)

        def value(item: Any) -> Any:
            far = -float(np.linalg.norm(np.array(item.embedding) - target))
            return round(far) if kind in ("rounded", "integers") else far

        def one(item: Any) -> dict[str, Any]:
            score, lot = value(item), abs(np.sin(sum(item.embedding) * 7.7))
            if kind == "some invalid" and lot < 0.3:
                return {"valid": lot > 0.2, "score": None if lot > 0.1 else score, "data": {"failed": True}}
            return {"valid": True, "score": score, "data": {"target": 1} if kind == "plain" else None}

        def typed(items: list[Any]) -> list[Any]:
            return [eo.ScoreResponse(**one(item)) for item in items]

        def dicts(items: list[Any]) -> list[Any]:
            return [one(item) for item in items]

        def size(items: list[Any]) -> list[Any]:
            return [eo.ScoreResponse(valid=True, score=len(item.embedding), data=None) for item in items]

        by_kind = {"dicts": dicts, "composite": eo.CompositeScorePlugin([typed, size])}
        return by_kind.get(kind, typed)

    def prune(self) -> Any:
        eo, limit = self.eo, float(self.rng.uniform(-4, 0))

        def own(queries: list[Any]) -> list[Any]:
            best = [max(item.score for item in query.valid_results()) for query in queries]
            return [{"valid": value > limit, "data": {"best": value}} for value in best]

        kind = self.pick("none", "none", "ours", "ours", "ours", "own")
        if kind == "own":
            return own
        group = self.pick("collection_id", "parent_id", None)
        arguments = (int(self.rng.integers(1, 4)), self.pick("mean", "max"), group)
        return eo.TopKPrune(*arguments) if kind == "ours" else None

    def update(self) -> Any:
        eo = self.eo
        clip = (self.pick(None, 0.2, 1.0), self.pick(2.0, 1, np.inf))
        kind = self.pick("rl", "rl", "discrete", "continuous", "own")
        step = float(self.rng.uniform(0.1, 0.9))

        def own(queries: list[Any]) -> list[Any]:
            out = []
            for query in queries:
                best = max(query.valid_results(), key=lambda item: item.score)
                point = (1 - step) * np.array(query.embedding) + step * np.array(best.embedding)
                child = eo.Query.from_parent_query(embedding=point, parent_query=query)
                child.data["step"] = step
                out.append(eo.UpdateResponse(query=child, parent_id=query.id))
            return out

        lrs = self.pick([0.25], [0.1, 1.0], [0.25, 1.0, 5.0])
        made = {
            "rl": lambda: eo.RLUpdate(lrs, self.pick(0.0, 0.1), *clip),
            "discrete": lambda: eo.TopKDiscreteUpdate(int(self.rng.integers(1, 4))),
            "continuous": lambda: eo.TopKContinuousUpdate(int(self.rng.integers(1, 5))),
            "own": lambda: own,
        }[kind]()
        if self.chance(0.45):
            return eo.UpdatePluginGradientWrapper(made, self.pick(0.0, 0.3), *clip)
        return made

    # -- the search ----------------------------------------------------------------------------------------

    def start(self) -> Any:
        points = self.rng.standard_normal((int(self.rng.integers(1, 5)), self.d))
        batch = self.eo.build_batch_from_embeddings(points)
        if self.chance(0.15):
            for query in batch.queries:
                query.update_internal(collection_id=0)
        if len(batch) > 1 and self.chance(0.1):
            batch.queries[0].update_internal(removed=True, removal_reason="by hand")
        return batch

    def runner(self, old: Any = None) -> Any:
        if old is None or self.chance(0.3):
            self.parts = [self.data(), self.filter(), self.score(), self.prune(), self.update()]
        else:
            self.parts[3], self.parts[4] = self.prune(), self.update()
        return self.eo.Runner(*self.parts)

    def play(self) -> dict[str, Any]:
        portrait = Portrait()
        seen: list[Any] = []
        batch = first = self.start()
        log = self.eo.Log() if self.chance(0.5) else None
        runner = self.runner()
        for _ in range(int(self.rng.integers(1, 4))):
            out = io.StringIO()
            with redirect_stdout(out):
                batch, log = runner.search(batch, int(self.rng.integers(1, 4)), log, verbose=True)
            seen.append(out.getvalue())
            event = self.pick("on", "on", "on", "look", "results", "again", "some", "new runner", "end", "tree")
            if event == "look":
                seen += [portrait.batch(batch), portrait.log(log)]
            elif event == "tree":
                seen.append(portrait.tree(log.query_tree))
            elif event == "new runner":
                runner = self.runner(runner)
            if batch is None or event in ("results", "again", "end"):
                if event == "end":
                    break
                batch = first if event == "again" else self._from_results(log)
            elif event == "some" and len(batch) > 1:
                batch = self.eo.Batch(queries=batch.queries[1:])
            if batch is None or len(batch) > 40:
                break
        order = tuple(self.rng.permutation(["batches", "tree", "results", "dump"]).tolist())
        return {"seen": seen, "last": portrait.batch(batch), "log": portrait.log(log, order), "order": order}

    def _from_results(self, log: Any) -> Any:
        """New queries from the items that a query of the log found, as a person picks them."""
        items = [item for query in log.batch_log[-1] for item in query][:3]
        return self.eo.build_batch_from_items(items, remap_collections=self.chance(0.5)) if items else None


def play(package: str, seed: int, store: str | None = None) -> dict[str, Any]:
    """Everything that can be seen of one random search."""
    return Scenario(package, seed, store).play()

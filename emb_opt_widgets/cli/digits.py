"""The demo's task: among 1,797 pictures of handwritten digits, those that a reader could take for a 4 and for a 9."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emb_opt_widgets.engine.items import Items
from emb_opt_widgets.errors import MissingDependencyError

__all__ = ["Digits"]


class Digits:
    """scikit-learn's digits, and a score that wants work: two classifiers, each judging what it has not seen.

    The score of a picture is √(p₄·p₉), with the probabilities of a 4 and of a 9 from a forest of 300 trees that was
    fitted on the other half of the pictures.

    Args:
        pair: The two digits between which a picture is to stand.

    Attributes:
        embeddings: `(1797, 64)` float32, the pixels from 0 to 1.
        labels: `(1797,)` the digit that was meant.
        names: What to call the pictures.
        calls: How many pictures have been scored.
    """

    def __init__(self, pair: tuple[int, int] = (4, 9)) -> None:
        try:
            from sklearn.datasets import load_digits
            from sklearn.ensemble import ExtraTreesClassifier
        except ImportError as error:
            raise MissingDependencyError(
                "The demo needs scikit-learn", hint="pip install 'emb_opt_widgets[demo]'"
            ) from error
        data = load_digits()
        self.embeddings: npt.NDArray[np.float32] = (data.data / 16).astype(np.float32)
        self.labels: npt.NDArray[Any] = data.target
        self.names = [f"picture {i}, meant as {label}" for i, label in enumerate(self.labels)]
        self.calls = 0
        self._pair = list(pair)
        self._half = np.arange(len(self.labels)) % 2
        self._judges = []
        for half in (0, 1):
            others = self._half != half
            forest = ExtraTreesClassifier(300, random_state=0)
            self._judges.append(forest.fit(self.embeddings[others], self.labels[others]))

    def score(self, items: Items) -> npt.NDArray[np.float64]:
        """The score of a batch of pictures."""
        self.calls += len(items)
        return self._judge(np.asarray(items.ids, np.int64), items.embeddings)

    def exhaustive(self) -> npt.NDArray[np.float64]:
        """`(1797,)` every picture's score: what a search wants to do without."""
        return self._judge(np.arange(len(self.labels)), self.embeddings)

    def _judge(self, rows: npt.NDArray[np.int64], pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        out = np.empty(len(rows))
        for half, judge in enumerate(self._judges):
            mine = self._half[rows] == half
            if mine.any():
                chances = judge.predict_proba(pixels[mine])[:, self._pair]
                out[mine] = np.sqrt(chances.prod(axis=1))
        return out

    def picture(self, row: int) -> list[str]:
        """A picture as eight lines of text."""
        shades = " ░▒▓█"
        pixels = self.embeddings[row].reshape(8, 8)
        return ["".join(shades[round(float(v) * 4)] * 2 for v in line) for line in pixels]

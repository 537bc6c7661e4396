"""sentence-transformers: its models as towers of `Training`, our losses in its trainer.

`SentenceTower` goes where a tower goes, and takes text or tokens. `SentenceLoss` goes where one of its losses goes:
`SentenceTransformerTrainer(model=model, train_dataset=pairs, loss=SentenceLoss(model, cache_rows=4096))`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emb_opt_widgets.errors import InputError, MissingDependencyError
from emb_opt_widgets.live.integers import as_whole
from emb_opt_widgets.training.cache import NegativeCache
from emb_opt_widgets.training.cache_loss import CacheLoss
from emb_opt_widgets.training.retrieval_loss import RetrievalLoss
from emb_opt_widgets.training.transform import Temperature

__all__ = ["SentenceLoss", "SentenceTower"]

_EMBEDDING = "sentence_embedding"
_SHARPNESS = 0.05
_NONE = object()


def _checked(model: Any) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            "Models of sentence-transformers need the package", hint="pip install 'emb_opt_widgets[sentence]'"
        ) from error
    if not isinstance(model, SentenceTransformer):
        raise InputError("model is not usable", expected="a SentenceTransformer", got=type(model).__name__)
    return model


class SentenceTower(nn.Module):
    """A `SentenceTransformer` as a tower, with a gradient.

    Args:
        model: The model; query and document tower may share it. max_tokens: Length that `tokens` fills up or cuts to.
            None: the model's own longest.

    Raises:
        InputError: It is no such model. MissingDependencyError: sentence-transformers is not installed.
    """

    def __init__(self, model: Any, max_tokens: int | None = None) -> None:
        super().__init__()
        self.model = _checked(model)
        self.max_tokens = max_tokens

    def forward(self, value: Any) -> Tensor:
        """Embeddings `(n, d)` of n texts (a list), or of what `tokens` made of them."""
        given = self._preprocessed(value) if not isinstance(value, Mapping) else _cut(value)
        return embedded(self.model, given, self.model)

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Texts as a column of tensors `(n, L)`, of one length: what a negative cache can hold, and made only once."""
        longest = self.max_tokens or int(self.model.max_seq_length or 0)
        if as_whole(longest) is None:
            raise InputError("The model has no longest text", expected="SentenceTower(model, max_tokens=…)", got="None")
        return padded(_tensors(self._preprocessed(texts)), longest)

    def _preprocessed(self, texts: Any) -> dict[str, Any]:
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise InputError("The tower takes texts", expected="a list of str, or tokens", got=type(texts).__name__)
        texts = list(texts)
        if (wrong := next((text for text in texts if not isinstance(text, str)), _NONE)) is not _NONE:
            what = f"{wrong!r:.60} ({type(wrong).__name__})"
            raise InputError(
                "The tower takes texts", expected="a list of str, or tokens", got=f"{what} among them",
                hint="Leave rows without a text out (DataFrame.dropna())",
            )  # fmt: skip
        made: dict[str, Any] = self.model.preprocess(texts)
        device = next(self.model.parameters()).device
        return {name: part.to(device) if isinstance(part, Tensor) else part for name, part in made.items()}


class SentenceLoss(nn.Module):
    """A loss of ours for `SentenceTransformerTrainer`: the first column are the queries, the second their documents,
    further ones negatives. The trainer's checkpoints hold the model alone: after a resume the cache fills anew, and a
    learned temperature begins where it began. Where that matters, `Training` with `SentenceTower` resumes exactly.

    Args:
        model: The model that is trained.
        loss: `RetrievalLoss`, or `CacheLoss` with `cache_rows`. None: the first at temperature 0.05, or the second with
            `in_batch` and a learned temperature from there on.
        cache_rows: Rows of a negative cache of the documents. None: no cache.
        max_tokens: Tokens of a cached document. None: the model's longest text.

    Raises:
        InputError: The model is none of the package, or loss and cache do not go together.
    """

    def __init__(
        self,
        model: Any,
        loss: Callable[..., Any] | None = None,
        cache_rows: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.model = _checked(model)
        cached = cache_rows is not None
        if loss is None and cached:
            loss = CacheLoss(score_transform=Temperature(_SHARPNESS), in_batch=True)
        self.loss = RetrievalLoss(_SHARPNESS, reduction="mean") if loss is None else loss
        if isinstance(self.loss, CacheLoss) != cached:
            got = f"{type(self.loss).__name__} and cache_rows={cache_rows}"
            raise InputError("Loss and cache do not go together", expected="CacheLoss(…) with cache_rows=…", got=got)
        self.max_tokens = max_tokens or int(self.model.max_seq_length or 0)
        self.cache_rows = cache_rows
        self.cache: NegativeCache | None = None

    def forward(self, sentence_features: Iterable[Mapping[str, Any]], labels: Tensor | None = None) -> Tensor:
        """The loss of a batch as the trainer gives it; in training it also brings the cache up to date."""
        features = [dict(one) for one in sentence_features]
        if len(features) < 2:
            raise InputError("A batch has no pairs", expected="two columns at least", got=len(features))
        queries, *documents = (embedded(self.model, one, self.model) for one in features)
        if not isinstance(self.loss, CacheLoss):
            value: Tensor = self.loss(queries, torch.cat(documents))
            return value
        if len(documents) > 1:
            raise InputError("A cache loss takes pairs", expected="two columns", got=len(features))
        return self._against_cache(self.loss, queries, documents[0], features[1])

    def _against_cache(self, loss: CacheLoss, queries: Tensor, positives: Tensor, given: Mapping[str, Any]) -> Tensor:
        rows = padded(_tensors(given), self.max_tokens)
        if self.cache is None:
            fields: dict[str, Any] = {name: ((self.max_tokens,), part.dtype) for name, part in rows.items()}
            fields[loss.embedding_field] = (tuple(positives.shape[1:]), torch.float32)
            self.cache = NegativeCache(self.cache_rows or 0, fields, device=positives.device)
        rest = {name: part for name, part in given.items() if not isinstance(part, Tensor)}

        def doc_net(data: Mapping[str, Tensor]) -> Tensor:
            tokens = {name: data[name] for name in rows}
            return embedded(self.model, {**_cut(tokens), **rest}, self.model)

        out = loss(doc_net, queries, positives, {"cache": self.cache})
        if self.training and torch.is_grad_enabled():
            new = {**rows, loss.embedding_field: positives.detach().float()}
            self.cache.step(**out.refresh["cache"], add=new)
        value: Tensor = out.training_loss
        return value


def embedded(model: Callable[[Any], Any], features: Mapping[str, Any], whose: nn.Module) -> Tensor:
    """The sentence embeddings of tokenised texts.

    Raises:
        InputError: The model makes none.
    """
    made = model(dict(features))
    out = made.get(_EMBEDDING) if isinstance(made, Mapping) else None
    if not isinstance(out, Tensor):
        what = f"{type(whose).__name__} makes no sentence embeddings"
        raise InputError(what, expected="a model with a pooling module", got=type(out).__name__)
    return out


def _tensors(features: Mapping[str, Any]) -> dict[str, Tensor]:
    """What can be kept of tokenised texts: whole numbers, a row a text."""
    return {
        name: part for name, part in features.items()
        if isinstance(part, Tensor) and part.ndim == 2 and not part.is_floating_point()
    }  # fmt: skip


def padded(tokens: Mapping[str, Tensor], length: int) -> dict[str, Tensor]:
    """Tokens `(n, L)` as `(n, length)`, zeros after them; what is longer is cut."""
    return {name: nn.functional.pad(part[:, :length], (0, max(0, length - part.shape[1]))) for name, part in
            tokens.items()}  # fmt: skip


def _cut(tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tokens without the columns that are filling in every row."""
    mask = tokens.get("attention_mask")
    if mask is None or not len(mask):
        return dict(tokens)
    shown = mask.bool().any(0).nonzero().squeeze(1)
    return {name: part[:, shown] for name, part in tokens.items()} if len(shown) else dict(tokens)

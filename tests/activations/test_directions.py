from __future__ import annotations

import numpy as np
import pytest
import torch

from emb_opt_widgets.activations import (
    Tap,
    contrastive_mean,
    from_steering_vector,
    logistic_direction,
    principal_direction,
    starts,
    to_steering_vector,
)
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.sources import ArraySource
from tests.activations.models_for_tests import Pictures, Words, gpt2

RNG = np.random.default_rng(3)
POSITIVE = (RNG.standard_normal((20, 16)) + np.arange(16) / 8).astype(np.float32)
NEGATIVE = RNG.standard_normal((20, 16)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:Creating a tensor from a list:UserWarning")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(contrastive_mean, "mean_aggregator"), (principal_direction, "pca_aggregator"),
     (logistic_direction, "logistic_aggregator")],
)  # fmt: skip
def test_equal_to_the_peers(ours, theirs):
    peer = pytest.importorskip("steering_vectors.aggregators")
    if ours is logistic_direction:
        pytest.importorskip("sklearn")
    wanted = getattr(peer, theirs)()(torch.from_numpy(POSITIVE), torch.from_numpy(NEGATIVE))
    for given in ((POSITIVE, NEGATIVE), (ArraySource(POSITIVE), torch.from_numpy(NEGATIVE))):
        np.testing.assert_allclose(ours(*given), wanted.numpy(), rtol=1e-4, atol=1e-6)


def test_equal_to_the_peers_own_training():
    """From the same texts, through the same model, at the same layer."""
    peer = pytest.importorskip("steering_vectors")
    model = gpt2()
    pairs = [("good morning", "bad evening"), ("fine", "poor thing"), ("a glad day", "a sad day")]

    class Tokens(dict):
        def to(self, device):
            return self

    class Bytes:
        pad_token_id = eos_token = pad_token = 0

        def __call__(self, texts, return_tensors="pt", padding=True):
            rows = [[ord(c) % 64 for c in text] for text in texts]
            longest = max(map(len, rows))
            return Tokens(
                input_ids=torch.tensor([row + [0] * (longest - len(row)) for row in rows]),
                attention_mask=torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
            )

    wanted = peer.train_steering_vector(model, Bytes(), pairs, layers=[1, 2], batch_size=2)
    for number in (1, 2):
        tap = Tap(model, number, tokenizer=Bytes())
        ours = contrastive_mean(tap.read([a for a, _ in pairs]), tap.read([b for _, b in pairs]))
        np.testing.assert_allclose(ours, wanted.layer_activations[number], rtol=1e-4, atol=1e-6)


def test_to_and_from_the_peers_form():
    pytest.importorskip("steering_vectors")
    model, vector, tokens = gpt2(), POSITIVE[0], torch.arange(12).reshape(2, 6)
    for layer in (2, ("mlp", -1), ("self_attn", 0)):
        tap = Tap(model, layer)
        theirs = to_steering_vector(tap, vector)
        ((back, same),) = from_steering_vector(model, theirs)
        assert back.name == tap.name and np.array_equal(same, vector)
        with torch.no_grad():
            with theirs.apply(model):
                wanted = model(tokens).logits
            with back.patch(same):
                assert torch.equal(model(tokens).logits, wanted)
    with pytest.raises(InputError, match="no place"):
        to_steering_vector(Tap(model, "lm_head"), vector)
    with pytest.raises(InputError, match="one vector"):
        to_steering_vector(Tap(model, 0), POSITIVE)
    with pytest.raises(InputError, match="no SteeringVector"):
        from_steering_vector(model, vector)
    with pytest.raises(InputError, match="0 to 2"):
        from_steering_vector(Words(), to_steering_vector(Tap(model, 3), vector))


def test_starts():
    found = starts(POSITIVE, NEGATIVE, norm=4.0)
    assert found.shape[1] == 16 and found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 4.0, rtol=1e-5)
    assert (found @ contrastive_mean(POSITIVE, NEGATIVE) > 0).all()
    length = np.linalg.norm(contrastive_mean(POSITIVE, NEGATIVE))
    np.testing.assert_allclose(np.linalg.norm(starts(POSITIVE, NEGATIVE), axis=1), length, rtol=1e-5)


def test_unequal_numbers():
    few = contrastive_mean(POSITIVE, NEGATIVE[:5])
    np.testing.assert_allclose(few, POSITIVE.mean(0) - NEGATIVE[:5].mean(0), rtol=1e-5, atol=1e-6)
    for direction in (principal_direction, logistic_direction):
        with pytest.raises(InputError, match="pair by pair"):
            direction(POSITIVE, NEGATIVE[:5])


@pytest.mark.parametrize("wrong", [POSITIVE[0], "abc", np.full((3, 16), np.nan), POSITIVE[:0]])
def test_examples_that_are_none(wrong):
    with pytest.raises(InputError, match="negative examples are not usable"):
        contrastive_mean(POSITIVE, wrong)
    with pytest.raises(InputError, match="do not fit together"):
        contrastive_mean(POSITIVE, NEGATIVE[:, :3])
    with pytest.raises(InputError, match="do not differ"):
        principal_direction(POSITIVE, POSITIVE)


def test_a_layer_without_a_number_in_another_model():
    with pytest.raises(InputError, match="no place"):
        to_steering_vector(Tap(Pictures(), "last"), [1.0, 2.0])

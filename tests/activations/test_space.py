from __future__ import annotations

import pickle
import threading
from contextlib import suppress

import numpy as np
import pytest
import torch

import emb_opt_widgets as eow
from emb_opt_widgets.activations import Tap, to_steering_vector
from emb_opt_widgets.engine.protocols import ReadableSource, VolatileSource
from emb_opt_widgets.testing import VOLATILE_CHECKS, SourceCase
from tests.activations.models_for_tests import Letters, Pictures, Words, gpt2
from tests.activations.test_tap import hooks

PROMPTS = torch.from_numpy(np.random.default_rng(1).integers(1, 29, (3, 5)))


def likes(token):
    return lambda steered: steered.log_probabilities[:, :, token].mean(1) - 0.05 * steered.vectors.norm(dim=1)


@pytest.mark.parametrize("check", VOLATILE_CHECKS, ids=lambda check: check.__name__)
def test_it_is_a_source(check):
    model = Words(d=8)
    check(SourceCase(lambda x: Tap(model, 1).space(PROMPTS, max_norm=100.0), ties_by_row=True))
    space = Tap(model, 1).space(PROMPTS)
    assert isinstance(space, VolatileSource) and not isinstance(space, ReadableSource)
    assert eow.as_source(space) is space


def test_what_a_vector_does_is_what_a_patch_does():
    model, vectors = Words(), torch.from_numpy(np.random.default_rng(2).standard_normal((5, 12))).float()
    tap = Tap(model, 1)
    space = tap.space(PROMPTS, batch_size=6)
    steered = space.steered(vectors)
    assert steered.logits.shape == (5, 3, 5, 29)
    for i, vector in enumerate(vectors):
        with torch.no_grad(), tap.patch(vector):
            alone = model(PROMPTS)
        torch.testing.assert_close(steered.logits[i], alone, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(steered.log_probabilities.exp().sum(-1), torch.ones(5, 3))


def test_logits_equal_the_peers():
    pytest.importorskip("steering_vectors")
    model = gpt2()
    tap, tokens = Tap(model, 2), torch.arange(18).reshape(3, 6)
    vector = np.random.default_rng(3).standard_normal(16).astype(np.float32)
    with torch.no_grad(), to_steering_vector(tap, vector).apply(model):
        wanted = model(tokens).logits
    with torch.no_grad():
        got = tap.space(tokens).steered(vector[None]).logits[0]
    assert torch.equal(got, wanted)


def test_padded_prompts():
    model, texts = Words(), ["abc", "hello", "z"]
    space = Tap(model, 1, tokenizer=Letters()).space(texts)
    last = space.steered(np.zeros((2, 12))).last
    for i, text in enumerate(texts):
        alone = model(Letters()([text])["input_ids"])[0, -1]
        torch.testing.assert_close(last[1, i], alone, rtol=1e-5, atol=1e-6)


def test_a_search_for_a_behaviour():
    model = Words()
    space = Tap(model, 1).space(PROMPTS, max_norm=6.0)
    zero = float(likes(7)(space.steered(np.zeros((1, 12))))[0])
    found = eow.Search(space, space.score(likes(7)), budget=40)
    found.run(progress=False)
    plain = eow.Search(space, space.score(likes(7), gradient=False), budget=100)
    plain.run(progress=False)
    assert found.best.score > zero + 0.5 and plain.best.score > zero + 0.3
    assert np.linalg.norm(found.best.embedding) <= 6 and hooks(model) == 0
    assert "gradient" in found.tree.operator and "gradient" not in plain.tree.operator
    with torch.no_grad(), Tap(model, 1).patch(found.best.embedding):
        same = model(PROMPTS)[:, -1].log_softmax(-1)[:, 7].mean() - 0.05 * np.linalg.norm(found.best.embedding)
    assert float(same) == pytest.approx(found.best.score, abs=1e-5)


def test_a_search_from_contrastive_starts():
    model = Words()
    tap = Tap(model, 1)
    pair = tap.read(PROMPTS), tap.read(PROMPTS.flip(1))
    found = eow.Search(
        tap.space(PROMPTS),
        tap.space(PROMPTS).score(likes(3)),
        queries=eow.activations.starts(*pair, norm=1.0),
        budget=9,
    )
    found.run(progress=False)
    assert found.n_scored == 9 and np.allclose(np.linalg.norm(found.tree.embedding[:2], axis=1), 1.0, rtol=1e-4)


def test_what_each_does_is_text():
    model = Words()
    space = Tap(model, 1, tokenizer=Letters()).space(["abc", "hello"], new_tokens=4)
    hits = space.search(np.zeros((1, 12), np.float32), 5)
    text = str(hits.items.items[0])
    first, second = text.split("\n")
    assert first.startswith("abc → ") and second.startswith("hello → ") and len(first) == len("abc → ") + 4
    sequence = Letters()(["abc"])["input_ids"]
    for _ in range(4):
        sequence = torch.cat([sequence, model(sequence)[:, -1:].argmax(-1)], dim=1)
    assert first == f"abc → {Letters().decode(sequence[0, 3:])}"
    steered = str(space.fetch(space.search(10 * np.ones((1, 12), np.float32), 1).ids).items[0])
    assert steered != text and pickle.loads(pickle.dumps(hits.items)).items[0] == text
    numbers = str(Tap(model, 1).space(PROMPTS).search(np.zeros((1, 12), np.float32), 1).items.items[0])
    assert len(numbers.split("\n")) == 3 and " → " in numbers
    picture = Tap(Pictures(), "first", "all").space(torch.zeros(2, 1, 6, 6))
    assert len(str(picture.search(np.zeros((1, 5), np.float32), 1).items.items[0]).split()) == 4


def test_a_text_stops_where_the_model_does():
    model = gpt2(n_positions=8)
    space = Tap(model, 1).space(torch.arange(6)[None], new_tokens=20)
    assert len(space.text(np.zeros(16)).split("→")[1].split()) == 2


def test_texts_are_made_beside_a_live_search():
    """From another thread, while the search is scoring: neither disturbs the other."""
    model = Words()
    space = Tap(model, 1).space(PROMPTS, max_norm=5.0)
    alone = eow.Search(Tap(model, 1).space(PROMPTS, max_norm=5.0), space.score(likes(7)), budget=40, seed=2)
    alone.run(progress=False)
    live = eow.Search(space, space.score(likes(7)), budget=40, seed=2)
    live.start()
    texts = []
    reader = threading.Thread(target=lambda: texts.extend(space.text(v) for v in np.eye(12, dtype=np.float32) * 4))
    reader.start()
    live.wait()
    reader.join()
    np.testing.assert_array_equal(live.results().scores, alone.results().scores)
    quiet = Tap(model, 1).space(PROMPTS, max_norm=5.0)
    assert texts == [quiet.text(v) for v in np.eye(12, dtype=np.float32) * 4]


def test_a_search_goes_on_from_its_file(tmp_path):
    model = Words()

    def space():
        return Tap(model, 1).space(PROMPTS, max_norm=5.0)

    whole = eow.Search(space(), space().score(likes(4)), budget=30)
    whole.run(progress=False)
    part = eow.Search(space(), space().score(likes(4)), budget=30, path=tmp_path / "s.eow")
    part.run(rounds=3, progress=False)
    part.close()
    with eow.load(tmp_path / "s.eow", space(), score=space().score(likes(4))) as again:
        again.run(progress=False)
        np.testing.assert_array_equal(again.tree.embedding, whole.tree.embedding)
        assert str(again.best.item) == str(whole.best.item)
        assert str(again.results().items[-1]) == str(whole.results().items[-1])


def test_nothing_is_left_of_a_search_that_fails():
    model = Words()
    space, before = Tap(model, 1).space(PROMPTS), model(PROMPTS)
    for error in (ValueError("no"), KeyboardInterrupt()):
        calls = []

        def broken(steered, error=error, calls=calls):
            calls.append(1)
            if len(calls) == 2:
                raise error
            return likes(2)(steered)

        found = eow.Search(space, space.score(broken), budget=20, on_error="raise")
        with suppress(eow.EmbOptError):
            found.run(progress=False)
        assert hooks(model) == 0 and torch.equal(model(PROMPTS), before)
    handle = model.blocks[2].register_forward_hook(lambda *a: (_ for _ in ()).throw(RuntimeError("inside")))
    with pytest.raises(RuntimeError, match="inside"):
        space.steered(np.ones((1, 12)))
    handle.remove()
    assert hooks(model) == 0 and torch.equal(model(PROMPTS), before)


def test_half_precision():
    model = Words().bfloat16()
    space = Tap(model, 1).space(PROMPTS, max_norm=3.0)
    found = eow.Search(space, space.score(likes(5)), budget=20)
    found.run(progress=False)
    assert found.n_scored == 20 and found.best.embedding.dtype == np.float32


def test_the_norm_is_that_of_what_stands_there():
    model = Words()
    with Tap(model, 1, "all").captured() as whole, torch.no_grad():
        model(PROMPTS)
    mean = float(whole[0].norm(dim=-1).mean())
    assert Tap(model, 1, "all").space(PROMPTS).max_norm == pytest.approx(mean / 2, rel=1e-5)
    space = Tap(model, 1).space(PROMPTS)
    assert repr(space).startswith(
        "Space(Tap('blocks.1' of Words, float32, position=None), prompts=3, dim=12, max_norm="
    )
    assert len(space) == 0 and space.scale == pytest.approx(space.max_norm / 8 / np.sqrt(12))


def test_bad_input():
    model = Words()
    tap = Tap(model, 1)
    with pytest.raises(eow.InputError, match=r"model\.eval"):
        Tap(Words().train(), 1).space(PROMPTS)
    with pytest.raises(eow.InputError, match="no part in the forward pass"):
        Tap(Pictures(), "unused").space(torch.zeros(2, 1, 6, 6))
    with pytest.raises(eow.InputError, match="longer than the model takes"):
        Tap(gpt2(), 1).space(torch.ones((1, 40), dtype=torch.long))
    for options in ({"max_norm": -1}, {"max_norm": "8"}, {"operator": "sub"}, {"batch_size": 0}, {"shown": 1.5}):
        with pytest.raises(eow.InputError):
            tap.space(PROMPTS, **options)
    space = tap.space(PROMPTS)
    for wrong in (np.ones(12), np.ones((2, 5)), np.full((1, 12), np.nan)):
        with pytest.raises(eow.InputError, match="vectors are not usable"):
            space.steered(wrong)
    with pytest.raises(eow.InputError, match="behaviour"):
        space.score(3)
    items = space.fetch(space.search(np.ones((2, 12), np.float32) * [[1], [2]], 1).ids)
    with pytest.raises(eow.errors.FunctionError, match="wrong shape"):
        space.score(lambda s: s.vectors, gradient=False)(items)
    with pytest.raises(eow.errors.FunctionError, match="not differentiable"):
        space.score(lambda s: s.vectors.detach().sum(1))(items)

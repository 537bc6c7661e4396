from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emb_opt_widgets.activations import Tap
from emb_opt_widgets.errors import InputError
from emb_opt_widgets.testing import SOURCE_CHECKS, SourceCase
from tests.activations.models_for_tests import Letters, Pictures, Tuples, Words, gpt2

TOKENS = torch.from_numpy(np.random.default_rng(0).integers(1, 29, (7, 5)))
TEXTS = ["abc", "hello", "z", "wordy"]


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def by_hand(model, tokens, layer):
    """What a layer gives, through a hook of one's own."""
    found = []
    handle = dict(model.named_modules())[layer].register_forward_hook(lambda m, i, o: found.append(o))
    with torch.no_grad():
        model(tokens)
    handle.remove()
    return found[0]


@pytest.mark.parametrize("position", [None, "first", "last", "mean", 2, -2])
def test_reads_what_stands_there(position):
    model = Words()
    whole = by_hand(model, TOKENS, "blocks.1")
    wanted = {None: whole[:, -1], "first": whole[:, 0], "last": whole[:, -1], "mean": whole.mean(1)}.get(position)
    wanted = whole[:, position] if wanted is None else wanted
    source = Tap(model, 1, position).read(TOKENS, batch_size=3)
    np.testing.assert_allclose(source.fetch(range(7)).embeddings, wanted, rtol=1e-5, atol=1e-6)
    assert hooks(model) == 0


def test_reads_every_token():
    source = Tap(Words(), 1, "all").read(TOKENS)
    items = source.fetch(range(len(source)))
    np.testing.assert_array_equal(items.embeddings, by_hand(Words(), TOKENS, "blocks.1").reshape(35, -1))
    assert items.data["input"].tolist() == np.repeat(range(7), 5).tolist()
    assert items.data["token"].tolist() == list(range(5)) * 7


def test_padding_does_not_count():
    model = Words()
    source = Tap(model, 1, tokenizer=Letters()).read(TEXTS)
    items = source.fetch(range(4))
    assert list(items.items) == TEXTS
    for text, vector in zip(TEXTS, items.embeddings):
        alone = by_hand(model, Letters()([text])["input_ids"], "blocks.1")[0, -1]
        np.testing.assert_allclose(vector, alone, rtol=1e-5, atol=1e-6)
    tokens = Tap(model, 1, "all", tokenizer=Letters()).read(TEXTS).fetch(range(sum(map(len, TEXTS))))
    assert list(tokens.items) == [text for text in TEXTS for _ in text]
    mean = Tap(model, 1, "mean", tokenizer=Letters()).read(TEXTS).fetch([0]).embeddings[0]
    np.testing.assert_allclose(mean, tokens.embeddings[:3].mean(0), rtol=1e-5, atol=1e-6)


def test_padding_on_the_left():
    model = gpt2()
    ids = torch.tensor([[0, 0, 5, 6], [7, 8, 9, 10]])
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    with Tap(model, 1, "all").captured() as whole, torch.no_grad():
        model(input_ids=ids, attention_mask=mask)
    for position, wanted in ((-1, [3, 3]), ("first", [2, 0]), (1, [3, 1]), (-2, [2, 2])):
        got = Tap(model, 1, position).read({"input_ids": ids, "attention_mask": mask}).fetch([0, 1]).embeddings
        np.testing.assert_array_equal(got, whole[0][[0, 1], wanted])


def test_other_models():
    pictures = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 1, 6, 6))).float()
    net = Pictures()
    channels = by_hand(net, pictures, "first")
    mean = Tap(net, "first", "mean").read(pictures).fetch(range(4)).embeddings
    np.testing.assert_allclose(mean, channels.mean((2, 3)), rtol=1e-5)
    assert Tap(net, "last").read(pictures).dim == 2
    with torch.no_grad(), Tap(net, "first", "all").patch(channels.flatten(2).transpose(1, 2), "replace"):
        patched = net(pictures)
    assert torch.equal(patched, net(pictures).detach())
    x = torch.arange(6.0).reshape(2, 3)
    tuples = Tuples()
    assert Tap(tuples, "pair").read(x).fetch([1]).embeddings.tolist() == [[6, 8, 10]]
    with Tap(tuples, "named").patch([1.0, 2, 3]), Tap(tuples, "pair").patch([10.0, 0, 0]):
        assert tuples(x)[0].tolist() == [12, 5, 8]


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
def test_what_is_read_is_a_source(check):
    vectors = Tap(Words(d=8), 1).read(torch.arange(1, 29)[:, None].repeat(1, 3)).fetch(range(28)).embeddings
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(8, 2)).eval()
    check(SourceCase(lambda x: Tap(model, "0").read(x), ties_by_row=True, vectors=np.concatenate([vectors] * 5)))


def test_on_disk_it_goes_on(tmp_path):
    model, path, runs = Words(), tmp_path / "read.npy", []
    model.head.register_forward_hook(lambda m, i, o: runs.append(len(o)))
    first = Tap(model, 1).read(TOKENS[:4], path)
    assert sum(runs) >= 4 and isinstance(first.fetch([0]).embeddings, np.ndarray)
    runs.clear()
    whole = Tap(model, 1).read(TOKENS, path, batch_size=1)
    assert sum(runs) <= 3 + 1
    np.testing.assert_array_equal(whole.fetch(range(7)).embeddings, by_hand(model, TOKENS, "blocks.1")[:, -1])
    runs.clear()
    Tap(model, 1).read(TOKENS, path)
    assert not runs
    other = Tap(model, 2).read(TOKENS, path)
    np.testing.assert_array_equal(other.fetch(range(7)).embeddings, by_hand(model, TOKENS, "blocks.2")[:, -1])


def test_a_killed_reading_goes_on(tmp_path):
    model, path = Words(), tmp_path / "read.npy"
    calls = []

    def fail(module, inputs, output):
        calls.append(len(output))
        if len(calls) == 4:
            raise KeyboardInterrupt

    handle = model.head.register_forward_hook(fail)
    with pytest.raises(KeyboardInterrupt):
        Tap(model, 1).read(TOKENS, path, batch_size=1)
    handle.remove()
    assert hooks(model) == 0 and not path.exists()
    again = Tap(model, 1).read(TOKENS, path, batch_size=1)
    np.testing.assert_array_equal(again.fetch(range(7)).embeddings, by_hand(model, TOKENS, "blocks.1")[:, -1])


@settings(max_examples=25, deadline=None)
@given(
    layer=st.integers(0, 2), position=st.sampled_from([None, "first", "last", 1, -3]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), seed=st.integers(0, 99),
)  # fmt: skip
def test_what_was_read_written_back_changes_nothing(layer, position, dtype, seed):
    """Bit for bit, in every precision that float32 holds."""
    model = Words(seed=seed).to(dtype)
    tap = Tap(model, layer, position)
    source = tap.read(TOKENS)
    with torch.no_grad():
        before = model(TOKENS)
        with tap.captured() as raw:
            model(TOKENS)
        vectors = source.fetch(range(7)).embeddings if dtype != torch.float64 else raw[0]
        with tap.patch(vectors, "replace"):
            after = model(TOKENS)
    assert torch.equal(before, after)


@pytest.mark.parametrize("operator", ["add", "project", "project_add"])
@pytest.mark.parametrize("scale", [1.0, -2.5])
def test_patches_as_the_peer(operator, scale):
    peer = pytest.importorskip("steering_vectors")
    from steering_vectors import steering_operators as theirs

    made = {
        "add": theirs.addition_operator(), "project": theirs.ablation_operator(),
        "project_add": theirs.ablation_then_addition_operator(),
    }  # fmt: skip
    model, vector = gpt2(), torch.from_numpy(np.random.default_rng(1).standard_normal(16)).float()
    tokens = TOKENS[:, :4]
    with torch.no_grad():
        with peer.SteeringVector({2: vector}).apply(model, operator=made[operator], multiplier=scale):
            wanted = model(tokens).logits
        with Tap(model, 2).patch(vector, operator, 1.0 if operator == "project" else scale):
            got = model(tokens).logits
    assert torch.equal(got, wanted) if operator == "add" else torch.allclose(got, wanted, atol=1e-5)
    handle = peer.SteeringVector({2: vector}).patch_activations(model, token_indices=[-1])
    with torch.no_grad():
        wanted = model(tokens).logits
    handle.remove()
    with torch.no_grad(), Tap(model, 2, "last").patch(vector):
        assert torch.equal(model(tokens).logits, wanted)


def test_what_the_operators_do():
    model, vector = Words(), np.arange(1.0, 13)
    whole, unit = by_hand(model, TOKENS, "blocks.2"), torch.from_numpy(vector / np.linalg.norm(vector)).float()
    tap = Tap(model, 2, "all")

    def inside(*patch):
        with Tap(model, 2, "all").captured() as found, torch.no_grad():
            with tap.patch(*patch):
                model(TOKENS)
            return found[0], by_patch[0]

    by_patch = []
    handle = model.head.register_forward_pre_hook(lambda m, i: by_patch.insert(0, i[0]))
    torch.testing.assert_close(inside(vector, "add", 2.0)[1], whole + 2 * torch.from_numpy(vector).float())
    assert float((inside(vector, "project")[1] @ unit).abs().max()) < 1e-5
    assert torch.equal(inside(vector, "replace")[1], torch.from_numpy(vector).float().expand_as(whole))
    assert torch.equal(inside(vector, lambda h, v: h * 0 + v)[1], torch.from_numpy(vector).float().expand_as(whole))
    torch.testing.assert_close(
        inside(vector, "project_add")[1] @ unit, torch.full((7, 5), np.linalg.norm(vector)).float()
    )
    handle.remove()


def test_only_the_position_is_changed():
    model = Words()
    rows = np.random.default_rng(2).standard_normal((7, 12))
    with torch.no_grad(), Tap(model, 2, -2).patch(rows, "replace"), Tap(model, "blocks.2").captured():
        got = by_hand(model, TOKENS, "blocks.2")
    plain = by_hand(model, TOKENS, "blocks.2")
    assert torch.equal(got[:, [0, 1, 2, 4]], plain[:, [0, 1, 2, 4]])
    np.testing.assert_array_equal(got[:, 3], rows.astype(np.float32))


def test_nothing_is_left_of_a_patch():
    model, tap = Words(), Tap(Words(), 1)
    tap = Tap(model, 1)
    before = model(TOKENS)
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), tap.patch(np.ones(12)):
            assert not torch.equal(model(TOKENS), before)
            raise error
        assert hooks(model) == 0 and torch.equal(model(TOKENS), before)
    with pytest.raises(InputError, match="does not fit"), tap.patch(np.ones(5)):
        model(TOKENS)
    assert hooks(model) == 0
    steps = tap.patch(np.ones(12))
    steps.__enter__()
    steps.__exit__(None, None, None)
    assert hooks(model) == 0


def test_a_patch_holds_in_its_own_thread():
    model, tap, seen = Words(), None, []
    tap, before = Tap(model, 1), model(TOKENS)
    with tap.patch(np.ones(12)):
        other = threading.Thread(target=lambda: seen.append(model(TOKENS)))
        other.start()
        other.join()
        mine = model(TOKENS)
    assert torch.equal(seen[0], before) and not torch.equal(mine, before)


def test_a_vector_gets_its_gradient():
    model, vector = Words(), torch.zeros(12, requires_grad=True)
    with Tap(model, 1).patch(vector):
        model(TOKENS)[:, -1, 3].sum().backward()
    small, numbers = 1e-3, []
    with torch.no_grad():
        for sign in (1, -1):
            with Tap(model.double(), 1).patch(sign * small * torch.eye(12, dtype=torch.float64)[0]):
                numbers.append(float(model(TOKENS)[:, -1, 3].sum()))
    assert float(vector.grad[0]) == pytest.approx((numbers[0] - numbers[1]) / (2 * small), rel=1e-3)


def test_half_precision():
    model = Words().half()
    tap = Tap(model, 1)
    source = tap.read(TOKENS)
    assert source.dtype == np.float32
    with torch.no_grad(), tap.patch(source.fetch(range(7)).embeddings, "replace"):
        assert torch.equal(model(TOKENS), model(TOKENS))
    with pytest.raises(InputError, match=r"model\.float"), tap.patch(np.full(12, 1e6)):
        model(TOKENS)
    with torch.no_grad():
        model.blocks[1].mlp[3].bias.fill_(65_504)
        model.blocks[0].mlp[3].bias.fill_(65_504)
    with pytest.raises(InputError, match="half precision"):
        tap.read(TOKENS)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("text", "need a tokenizer"),
        (["a", "b"], "need a tokenizer"),
        (3, "not usable"),
        (TOKENS[:0], "no inputs"),
        ({}, "not usable"),
    ],
)
def test_inputs_that_cannot_be_read(inputs, message):
    with pytest.raises(InputError, match=message):
        Tap(Words(), 1).read(inputs)


def test_other_bad_input():
    model = Words()
    with pytest.raises(InputError, match=r"model\.eval"):
        Tap(Words().train(), 1).read(TOKENS)
    with pytest.raises(InputError, match="no part in the forward pass"):
        Tap(Pictures(), "unused").read(torch.zeros(2, 1, 6, 6))
    with pytest.raises(InputError, match="holds no vectors"):
        Tap(Tuples(), "nothing").read(torch.zeros(2, 3))
    with pytest.raises(InputError, match="no token at the position 9"):
        Tap(model, 1, 9).read(TOKENS)
    with pytest.raises(InputError, match="column of its own"):
        Tap(model, 1, "all").read(TOKENS, ids=range(7))
    for arguments, message in (
        ((np.ones(12), "sub"), "operator is not usable"),
        ((np.ones(12), "add", float("nan")), "scale is not usable"),
        ((np.full(12, np.nan),), "not finite"),
        (("abc",), "not usable"),
        ((1.0,), "wrong shape"),
        ((np.zeros(12), "project"), "no direction"),
    ):
        with pytest.raises(InputError, match=message), Tap(model, 1).patch(*arguments):
            pass
    with pytest.raises(InputError, match="mean of the tokens"), Tap(model, 1, "mean").patch(np.ones(12), "replace"):
        pass
    with pytest.raises(InputError, match="operator answered"), Tap(model, 1).patch(np.ones(12), lambda h, v: h[:, 0]):
        model(TOKENS)
    assert hooks(model) == 0


def test_longer_than_the_model_takes():
    model = gpt2()
    with pytest.raises(InputError, match=r"Input 0 is longer.*at most 32 tokens; got 40"):
        Tap(model, 1).read(torch.ones((2, 40), dtype=torch.long))
    with pytest.raises(InputError, match="vocabulary"):
        Tap(model, 1).read(torch.full((2, 4), 64))

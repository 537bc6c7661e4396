from __future__ import annotations

import pytest
from torch import nn

from emb_opt_widgets.activations import Tap, layers
from emb_opt_widgets.errors import InputError
from tests.activations.models_for_tests import Pictures, Words, gpt2


def test_by_kind():
    model = Words()
    assert layers(model, "decoder_block") == ["blocks.0", "blocks.1", "blocks.2"]
    assert layers(model, "mlp") == ["blocks.0.mlp", "blocks.1.mlp", "blocks.2.mlp"]
    assert layers(model, "input_layernorm") == ["blocks.0.ln_1", "blocks.1.ln_1", "blocks.2.ln_1"]
    assert layers(model, "embedding") == ["table"] and layers(model, "LINEAR")[-1] == "head"
    assert layers(Pictures()) == ["first", "last", "unused"]
    assert layers(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "decoder_block") == ["0", "1"]


def test_as_the_peer_guesses_them():
    peer = pytest.importorskip("steering_vectors.layer_matching")
    model = gpt2()
    config = peer.guess_and_enhance_layer_config(model)
    for kind in ("decoder_block", "self_attn", "mlp", "input_layernorm", "post_attention_layernorm"):
        assert layers(model, kind) == peer.collect_matching_layers(model, config[kind])


@pytest.mark.parametrize(
    ("layer", "name"),
    [("blocks.1", "blocks.1"), (0, "blocks.0"), (-1, "blocks.2"), (("mlp", 1), "blocks.1.mlp"), ("head", "head"),
     (("Linear", -1), "head")],
)  # fmt: skip
def test_a_layer_is_found(layer, name):
    model = Words()
    tap = Tap(model, layer)
    assert tap.name == name and tap.module is dict(model.named_modules())[name]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("blocks.9", "Near it are 'blocks"),
        ("ln_1", "Near it are 'blocks.0.ln_1'"),
        ("heed", "'head'"),
        ("", "no layer ''"),
        ("mlp", r"Say which, from 0: \('mlp', 1\)"),
        (3, "0 to 2"),
        (-4, "0 to 2"),
        (("mlp", 7), "0 to 2"),
        (("mpl", 0), "Near it are 'mlp'"),
        (("self_attn", 0), "no layer of the kind"),
        (True, "layer is not usable"),
        (None, "layer is not usable"),
    ],
)
def test_a_layer_that_is_not_there(layer, message):
    with pytest.raises(InputError, match=message):
        Tap(Words(), layer)


def test_a_kind_is_not_offered_in_its_own_place():
    with pytest.raises(InputError) as caught:
        layers(Words(), "self_attn")
    assert "'self_attn'" not in str(caught.value).partition("Near it are")[2]


def test_no_model():
    for call in (lambda: layers("gpt2"), lambda: Tap("gpt2", 0)):
        with pytest.raises(InputError, match="no torch model"):
            call()
    with pytest.raises(InputError, match="position is not usable"):
        Tap(Words(), 0, "middle")

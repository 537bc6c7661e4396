"""Which layers a model has, and which one is meant. Knows nothing of what runs through them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Literal, get_args

from torch import nn

from emb_opt_widgets.errors import InputError

__all__ = ["Kind", "Layer", "find_layer", "layers", "number_of"]

Kind = Literal["decoder_block", "self_attn", "mlp", "input_layernorm", "post_attention_layernorm"]
Layer = str | int | tuple[str, int]

_NUMBERED = re.compile(r"^([^\d]+\.|)(\d+)(.*)$")
_OFFERED = 3
_ALIKE = 0.6
_WHERE: dict[str, Callable[[str], bool]] = {
    "decoder_block": lambda name: True,
    "self_attn": lambda name: "attn" in name or "attention" in name,
    "mlp": lambda name: "mlp" in name,
    "input_layernorm": lambda name: "ln_1" in name or "input_layernorm" in name,
    "post_attention_layernorm": lambda name: "ln_2" in name or "post_attention_layernorm" in name,
}


def layers(model: nn.Module, kind: str | None = None) -> list[str]:
    """The names of a model's layers, as `named_modules` has them.

    Args:
        model: Any torch model.
        kind: "decoder_block" (the numbered parts that come most often), "self_attn", "mlp", "input_layernorm",
            "post_attention_layernorm": one of each block, in the blocks' order. Or the name of a class ("Linear",
            "Conv2d"): all of that class. None: every layer.

    Raises:
        InputError: The model is none, or has no layer of this kind.
    """
    names = [name for name in dict(_checked(model).named_modules()) if name]
    if kind is None:
        return names
    found = _of_kind(names, kind) if kind in _WHERE else _of_class(model, kind)
    if not found:
        classes = sorted({type(module).__name__ for module in model.modules()})
        raise InputError(
            f"The model has no layer of the kind {kind!r}",
            expected=f"one of {', '.join(get_args(Kind))}, or a class of its layers ({', '.join(classes[:12])})",
            got=repr(kind),
            hint=_offer(kind, [name for name in (*_WHERE, *classes) if name != kind]),
        )
    return found


def find_layer(model: nn.Module, layer: Layer) -> tuple[str, nn.Module]:
    """The layer that is meant, with its name.

    Args:
        model: Any torch model.
        layer: A name; a number: that decoder block, from the end where it is negative; or a kind and a number.

    Raises:
        InputError: There is no such layer; the nearest names are offered.
    """
    modules = dict(_checked(model).named_modules())
    if isinstance(layer, str) and layer and layer in modules:
        return layer, modules[layer]
    if isinstance(layer, bool) or not isinstance(layer, (str, int, tuple)):
        raise InputError(
            "layer is not usable", expected="a name, a number, or a kind and a number", got=type(layer).__name__
        )
    if isinstance(layer, str):
        raise _unknown(model, layer, [name for name in modules if name])
    kind, number = layer if isinstance(layer, tuple) and len(layer) == 2 else ("decoder_block", layer)
    found = layers(model, str(kind))
    if isinstance(number, bool) or not isinstance(number, int) or not -len(found) <= number < len(found):
        raise InputError(
            f"There is no such layer of the kind {kind!r}",
            expected=f"a number from 0 to {len(found) - 1}, or from -{len(found)} to -1",
            got=repr(number),
            hint=f"The first is {found[0]!r}, the last {found[-1]!r}",
        )
    return found[number], modules[found[number]]


def number_of(model: nn.Module, name: str) -> tuple[str, int] | None:
    """The kind and the number of a layer, where its name is one of a kind's."""
    names = [name for name in dict(model.named_modules()) if name]
    for kind in _WHERE:
        found = _of_kind(names, kind)
        if name in found:
            return kind, found.index(name)
    return None


def _checked(model: nn.Module) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise InputError("This is no torch model", expected="a torch.nn.Module", got=type(model).__name__)
    return model


def _of_kind(names: list[str], kind: str) -> list[str]:
    """The numbered names that come most often, the shortest of such; from 0 on, without a gap."""
    groups: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for name in names:
        if (match := _NUMBERED.match(name)) and _WHERE[kind](match[1] + match[3]):
            groups[match[1], match[3]][int(match[2])] = name
    if not groups:
        return []
    best = max(groups.items(), key=lambda group: (len(group[1]), -len("".join(group[0]))))[1]
    return [best[number] for number in range(len(best)) if number in best]


def _of_class(model: nn.Module, kind: str) -> list[str]:
    return [name for name, module in model.named_modules() if name and type(module).__name__.lower() == kind.lower()]


def _offer(wanted: str, names: list[str]) -> str | None:
    """The nearest names, by the whole or by their last part."""
    alike = {
        name: max(SequenceMatcher(None, wanted, part).ratio() for part in (name, name.rpartition(".")[2]))
        for name in names
    }
    near = [name for name in sorted(alike, key=lambda name: -alike[name])[:_OFFERED] if alike[name] > _ALIKE]
    return f"Near it are {', '.join(map(repr, near))}" if near else None


def _unknown(model: nn.Module, layer: str, names: list[str]) -> InputError:
    if layer in _WHERE and (found := _of_kind(names, layer)):
        return InputError(
            f"The model has {len(found)} layers of the kind {layer!r}",
            expected="one of them",
            got="the kind alone",
            hint=f"Say which, from 0: ({layer!r}, {len(found) // 2})",
        )
    inside = [name for name in names if layer and name.endswith("." + layer)][:_OFFERED]
    hint = f"Near it are {', '.join(map(repr, inside))}" if inside else _offer(layer, names)
    return InputError(
        f"The model has no layer {layer!r:.80}",
        expected=f"one of its {len(names)} names (the first is {names[0] if names else None!r})",
        got=f"{layer!r:.80}",
        hint=hint or "layers(model) lists them",
    )

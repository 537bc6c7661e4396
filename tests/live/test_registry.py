"""Searches are known while they live, by ids of their own."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import emb_opt_widgets as eow
from emb_opt_widgets.live import registry


def search() -> eow.Search:
    return eow.Search(np.eye(8, dtype=np.float32), lambda items: items.embeddings.sum(1))


def test_a_search_is_known_while_it_lives():
    one, other = search(), search()
    ids = [entry.id for entry, controller in registry.entries() if controller in (one.controller, other.controller)]
    assert len(set(ids)) == 2 and registry.find(ids[0]) is one.controller
    del one
    gc.collect()
    assert registry.find(ids[0]) is None and registry.find(ids[1]) is other.controller


def test_a_running_search_is_known_though_nobody_holds_it():
    made = search()
    made.start(3)
    entry = registry.note(made.controller)
    made.controller.wait(10)
    assert registry.note(made.controller) == entry and entry.cell is None


@pytest.mark.parametrize("parent", [None, {}, {"metadata": None}, {"metadata": {"cellId": 3}}])
def test_without_a_notebook_there_is_no_cell(parent, monkeypatch):
    shell = SimpleNamespace(parent_header=parent)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert registry.note(search().controller).cell is None


def test_in_a_notebook_the_cell_is_known(monkeypatch):
    shell = SimpleNamespace(parent_header={"metadata": {"cellId": "abc"}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert registry.note(search().controller).cell == "abc"

"""An interrupted cell pauses what is watched where no button is heard; elsewhere it leaves it alone."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.events import EventManager, available_events

import emb_opt_widgets as eow
from emb_opt_widgets import widgets
from emb_opt_widgets.live.steering import Asked
from emb_opt_widgets.widgets import base, interrupts
from emb_opt_widgets.widgets.interrupts import heed


class Shell:
    """IPython's, as far as it is used: its events, and a kernel of these features."""

    def __init__(self, *features: str) -> None:
        self.events = EventManager(self, available_events)
        self.kernel = SimpleNamespace(kernel_info={"supported_features": list(features)})

    def run(self, error: BaseException | None) -> None:
        self.events.trigger("post_run_cell", SimpleNamespace(error_in_exec=error))

    @property
    def hooks(self) -> int:
        return len(self.events.callbacks["post_run_cell"])


@pytest.fixture
def slow(library: Any) -> Any:
    def score(items: Any) -> Any:
        time.sleep(0.01)
        return items.embeddings[:, 0]

    search = eow.Search(library, score, budget=5_000, batch_size=2)
    yield search
    if search.controller.running:
        search.stop()
        search.wait(30)


def shown(search: eow.Search, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> widgets.ControlPanel:
    monkeypatch.setattr(base, "shell", lambda: shell)
    return widgets.ControlPanel(search)


def test_an_interrupt_pauses_what_is_watched_and_says_so(slow, built, monkeypatch):
    shell = Shell("debugger")
    panel = shown(slow, shell, monkeypatch)
    slow.start()
    shell.run(None)
    shell.run(ValueError("another error"))
    assert slow.controller.running and not slow.controller.halting
    shell.run(KeyboardInterrupt())
    assert slow.wait(10) and slow.status == eow.SearchStatus.PAUSED
    assert slow.reason == "Paused by an interrupt. Resume goes on, or run()."
    command = [event for event in slow.events if event.kind == "command"][-1]
    assert (command.body.name, command.who, command.note) == ("pause", "keyboard", "a cell was interrupted")
    shell.run(KeyboardInterrupt())
    slow.start()
    assert slow.reason == "Running."
    slow.pause()
    slow.wait(10)
    assert slow.reason == "Paused. resume(), step() or run() goes on."
    panel.close()


def test_what_nobody_watches_goes_on(slow, built, monkeypatch):
    shell = Shell()
    shown(slow, shell, monkeypatch).close()
    slow.start()
    shell.run(KeyboardInterrupt())
    assert slow.controller.running and not slow.controller.halting


def test_where_buttons_are_heard_an_interrupt_leaves_searches_alone(slow, built, monkeypatch):
    shell = Shell("kernel subshells", "debugger")
    panel = shown(slow, shell, monkeypatch)
    assert shell.hooks == 0
    panel.close()


def test_the_hook_is_made_once_and_never_on_import(search, built, monkeypatch):
    shell = Shell()
    for _ in range(3):
        shown(search, shell, monkeypatch).close()
    assert shell.hooks == 1
    heed(None)
    heed(SimpleNamespace())
    assert interrupts._heeded


def test_a_pause_that_was_clicked_before_is_no_error(slow, built):
    panel = widgets.ControlPanel(slow)
    slow.run(rounds=1, progress=False)
    slow.start()
    slow.pause()
    slow.wait(10)
    assert panel._feed._live.command("pause", {}, Asked("browser", "x1")).result(1) == {"nodes": []}
    panel.close()

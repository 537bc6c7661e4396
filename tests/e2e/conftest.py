"""One server and one browser a test session; a fresh page a test, with nothing wrong on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.e2e.browser import Lab, Notebook, Tab, launch, missing, serve

WIDTH, HEIGHT = 1280, 900
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    if reason is None or os.environ.get("EOW_E2E") == "require":
        return
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.skip(reason=f"no browser tests: {reason}"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := missing():
        pytest.fail(f"EOW_E2E=require, but {reason}")
    with serve(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def context(chrome: Any) -> Iterator[Any]:
    """A browser profile of its own: cookies and storage are the test's."""
    made = chrome.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
    yield made
    made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep a picture of the page of a test that failed."""
    report = yield
    tab = getattr(item, "funcargs", {}).get("tab")
    if report.when == "call" and report.failed and tab is not None and not tab.page.is_closed():
        folder = os.environ.get("EOW_E2E_PICTURES") or "out/e2e"
        tab.page.screenshot(path=f"{folder}/{item.name}.png")
        report.sections.append(("the page", f"{folder}/{item.name}.png, errors: {tab.errors}"))
    return report


@pytest.fixture
def tab(context: Any, lab: Lab) -> Iterator[Tab]:
    """A page; at the end nothing may have gone wrong on it, and it may have asked nobody but the server."""
    made = Tab.of(context)
    yield made
    assert made.errors == []
    assert made.dialogs == []
    assert made.strangers(lab) == []


@pytest.fixture
def notebook(lab: Lab, tab: Tab) -> Iterator[Callable[..., Notebook]]:
    """Write and open a notebook of these cells; its kernel ends with the test."""
    opened: list[Notebook] = []

    def make(*cells: Any, kernel: bool = True, **metadata: Any) -> Notebook:
        path = lab.write(f"test-{next(_numbers)}.ipynb", cells, **metadata)
        opened.append(Notebook(tab, lab, path).open(kernel))
        return opened[-1]

    yield make
    for one in opened:
        if not one.page.is_closed():
            one.shut_down()

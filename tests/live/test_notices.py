"""Notices: bounded, equal ones counted, the latest last; whoever follows hears of each."""

from __future__ import annotations

import threading

import pytest

from emb_opt_widgets.live.notices import Notices, said_of


def test_equal_ones_are_counted_and_the_latest_is_last():
    notices = Notices()
    for text in ("a", "b", "a", "a\n a"):
        notices.add("display", text)
    assert [(n.text, n.count) for n in notices] == [("b", 1), ("a", 2), ("a a", 1)]
    assert notices[-1].text == "a a" and notices[:1][0].text == "b" and notices[1].first <= notices[1].time
    assert str(notices[1]) == "display: a (2 times)" and "Notices: 3" in repr(notices)
    notices.add("source", "a")
    assert len(notices) == 4 and sorted(n.number for n in notices) == [1, 2, 3, 4]


def test_they_are_few_and_short():
    notices = Notices()
    for i in range(1_000):
        notices.add("display", f"{i} " + "long " * 1_000)
    assert len(notices) == 100 and notices[-1].text.startswith("999 ") and len(notices[0].text) <= 600


def test_followers_hear_from_any_thread_until_they_leave():
    notices, heard = Notices(), []
    end = notices.follow(lambda: heard.append(len(notices)))
    threads = [threading.Thread(target=notices.add, args=("display", str(i))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end()
    end()
    notices.add("display", "more")
    assert len(heard) == 8 and len(notices) == 9


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("a\n b"), "ValueError: a b"), (KeyError(), "KeyError"), (Speechless(), "Speechless")],
)
def test_what_an_error_says(error: Exception, said: str):
    assert said_of(error) == said

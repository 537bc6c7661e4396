"""Waiting for what was asked of a live thing."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

__all__ = ["waited"]


def waited(done: Future[list[int]]) -> list[int]:
    """What a command came to, once it is applied; an interrupt is heard meanwhile."""
    while True:
        try:
            return done.result(timeout=0.2)
        except FutureTimeout:
            continue

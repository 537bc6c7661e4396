"""How a promise that is not kept is told."""

from __future__ import annotations

__all__ = ["expect"]


def expect(holds: object, promise: str, got: object = None) -> None:
    """Raise `AssertionError` with the promise, and what came instead, unless it holds."""
    if not holds:
        raise AssertionError(f"{promise}{'' if got is None else f'; got {got}'}")

"""Every error the library raises on purpose.

    EmbOptError
    ├── InputError (ValueError)          an argument, an array or a returned value is not what was asked for
    │   └── UnknownNodeError             a node id that the tree does not have
    ├── StateError (RuntimeError)        the command does not fit the search's present state
    ├── FunctionError                    a function of the user's raised, or returned the wrong thing
    │   ├── WorkerDied                   the process that ran it died
    │   └── RemoteError                  what it raised elsewhere, as text: the error itself cannot be sent
    ├── RetryLater                       raised by a function of the user's: not now, and nothing is paid
    ├── Fatal                            raised by a function of the user's: pause at once, nothing is charged
    ├── FileError (OSError)              the search's file cannot be used
    │   ├── FileInUseError               another process or search writes to it
    │   ├── DamagedFileError             it is not one of our files, or not whole
    │   └── NewerFileError               it was written by a newer version
    └── MissingDependencyError (ImportError)   an optional package is needed

A message says what was expected, what came, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "DamagedFileError",
    "EmbOptError",
    "Fatal",
    "FileError",
    "FileInUseError",
    "FunctionError",
    "InputError",
    "MissingDependencyError",
    "NewerFileError",
    "RemoteError",
    "RetryLater",
    "StateError",
    "UnknownNodeError",
    "WorkerDied",
]


def _sentence(what: str, expected: str | None, got: object, hint: str | None) -> str:
    parts = [what.rstrip(".") + "."]
    if expected is not None:
        parts.append(f"Expected {expected}; got {got}.")
    if hint is not None:
        parts.append(hint.rstrip(".") + ".")
    return " ".join(parts)


class EmbOptError(Exception):
    """Base of every error raised on purpose.

    Args:
        what: One sentence: what is wrong.
        expected: What would have been right.
        got: What came instead.
        hint: What to do about it.
    """

    expected: str | None = None
    got: str = ""

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        got: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(_sentence(what, expected, got, hint))
        if expected is not None:
            self.expected, self.got = expected, str(got)


class InputError(EmbOptError, ValueError):
    """An argument, an array or a returned value is not what was asked for."""


class UnknownNodeError(InputError):
    """A node id that the tree does not have."""


class StateError(EmbOptError, RuntimeError):
    """The command does not fit the search's present state."""


class FunctionError(EmbOptError):
    """A function of the user's raised, or returned the wrong thing."""


class RemoteError(FunctionError):
    """What was raised elsewhere, as text: the error itself cannot be sent.

    Args:
        text: Its type and message.
    """

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)


class WorkerDied(FunctionError):
    """The process that ran a call died, or may have.

    Args:
        text: What is known of it.
        suspect: Whether the call may be what killed it.
    """

    def __init__(self, text: str, suspect: bool = True) -> None:
        Exception.__init__(self, text)
        self.suspect = suspect


class RetryLater(EmbOptError):
    """Raised by a score, or answered in place of one: ask again then. Nothing is paid, and others go on.

    Args:
        seconds: How long to wait.
        why: For a person.
    """

    def __init__(self, seconds: float = 1.0, why: str = "") -> None:
        Exception.__init__(self, seconds, why)
        self.seconds = float(seconds)

    def __str__(self) -> str:
        return f"not within {self.seconds:g} s{': ' if self.args[1] else ''}{self.args[1]}"


class Fatal(EmbOptError):
    """Raised by a score: the search pauses at once with this reason, and nothing is charged for the call.

    Args:
        why: What is wrong.
    """

    def __init__(self, why: str = "") -> None:
        Exception.__init__(self, why)


def describe_error(error: BaseException) -> str:
    """Its type and message on one line, whatever it is made of."""
    try:
        text = " ".join(str(error).split())
    except BaseException:
        text = ""
    if isinstance(error, RemoteError):
        return text[:500]
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def as_function_error(what: str, error: Exception) -> EmbOptError:
    """An error of ours as it is; any other as a `FunctionError` that says what failed."""
    if isinstance(error, EmbOptError):
        return error
    wrapped = FunctionError(
        f"The {what} failed: {describe_error(error)}",
        hint="Nothing that was scored is lost: mend it and go on",
    )
    wrapped.__cause__ = error
    return wrapped


@contextmanager
def failing_as(what: str) -> Iterator[None]:
    """Have whatever is raised inside come out as an error of ours that says what failed."""
    try:
        yield
    except Exception as error:
        raise as_function_error(what, error) from error


class FileError(EmbOptError, OSError):
    """The search's file cannot be used."""


class FileInUseError(FileError):
    """Another process or search writes to the file."""


class DamagedFileError(FileError):
    """The file is not one of ours, or not whole."""


class NewerFileError(FileError):
    """The file was written by a newer version."""


class MissingDependencyError(EmbOptError, ImportError):
    """An optional package is needed."""


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Have a package that is not installed come out as the line to type.

    Args:
        what: What needs it.
        extra: The extra of this package that brings it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("emb_opt_widgets"):
            raise
        raise MissingDependencyError(
            f"{what} needs {error.name}, which is not installed", hint=f"pip install 'emb_opt_widgets[{extra}]'"
        ) from error

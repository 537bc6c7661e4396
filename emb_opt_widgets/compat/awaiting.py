"""Models some of whose fields are made when somebody looks at them. Knows nothing of what the fields are."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from emb_opt_widgets.errors import MissingDependencyError

try:
    from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer
except ImportError as error:
    raise MissingDependencyError(
        "emb_opt's names need pydantic", hint="pip install 'emb_opt_widgets[compat]'"
    ) from error

__all__ = ["Awaiting", "Later"]


class Later(Protocol):
    """Where a model's awaited fields come from."""

    def fill(self, model: Any) -> None:
        """Put the fields that are missing into the model."""


class Awaiting(BaseModel):
    """A model some of whose fields may still be to come; whatever looks at it fills it first."""

    __slots__ = ("_later",)
    _awaited: ClassVar[tuple[str, ...]] = ()

    def _await(self, later: Later) -> None:
        for name in self._awaited:
            self.__dict__.pop(name, None)
        object.__setattr__(self, "_later", later)

    def _whence(self) -> Any:
        """Where the awaited fields come from, None once they are here."""
        if all(name in self.__dict__ for name in self._awaited):
            return None
        return object.__getattribute__(self, "_later")

    def _fill(self) -> None:
        later = self._whence()
        if later is not None:
            later.fill(self)

    def __getattr__(self, name: str) -> Any:
        if name in type(self)._awaited:
            self._fill()
            return self.__dict__[name]
        return super().__getattr__(name)  # type: ignore[misc,unused-ignore]

    def __eq__(self, other: Any) -> bool:
        for model in (self, other):
            if isinstance(model, Awaiting):
                model._fill()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr_args__(self) -> Any:
        self._fill()
        return super().__repr_args__()

    def __getstate__(self) -> dict[Any, Any]:
        self._fill()
        return super().__getstate__()

    def __copy__(self) -> Any:
        self._fill()
        return super().__copy__()

    def __deepcopy__(self, memo: Any = None) -> Any:
        self._fill()
        return super().__deepcopy__(memo)

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        self._fill()
        plain: dict[str, Any] = handler(self)
        return plain

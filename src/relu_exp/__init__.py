"""relu-exp: claims about activation functions and weight initialization, decided by experiment."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relu_exp.api import contrast, draw, open, run
    from relu_exp.inspection.inspecting import inspect
    from relu_exp.inspection.watching import watch

__version__ = "0.1.0"

__all__ = ["__version__", "contrast", "draw", "inspect", "open", "run", "watch"]

_PLACES = {
    # name: the module below relu_exp that it is imported from when it is first asked for
    "contrast": "api",
    "draw": "api",
    "inspect": "inspection.inspecting",
    "open": "api",
    "run": "api",
    "watch": "inspection.watching",
}

if not TYPE_CHECKING:  # else a type checker would take every name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})

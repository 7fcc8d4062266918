"""relu-exp: claims about activation functions and weight initialization, decided by experiment."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    # name: the module below relu_exp that it is imported from when it is first asked for
    "contrast": "api",
    "draw": "api",
    "open": "api",
    "run": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})

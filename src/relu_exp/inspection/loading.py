"""A network and a batch that a command names: `my_module:build` and `my_batch.pt`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import UsageError

__all__ = ["load_batch", "load_model"]


def load_model(place: str) -> nn.Module:
    """Return what `module:name` is, or returns if it is a function without arguments.

    Raises:
        UsageError: it cannot be imported, or is no network.
    """
    module_name, colon, name = place.partition(":")
    if not colon or not module_name or not name:
        raise UsageError(
            f"{shown(place)} is not valid: write module:function, as in my_module:build"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        module = importlib.import_module(module_name.removesuffix(".py").replace("/", "."))
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{module_name} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    if not hasattr(module, name):
        public = [each for each in vars(module) if not each.startswith("_")]
        raise UsageError(f"{module_name} has no {shown(name)}{nearest(name, public)}")
    found = getattr(module, name)
    if not isinstance(found, nn.Module):
        try:
            found = found()
        except Exception as error:
            raise UsageError(
                f"{place} failed ({type(error).__name__}: {error}): it must be a function without "
                "arguments that returns a torch.nn.Module"
            ) from error
    if not isinstance(found, nn.Module):
        raise UsageError(f"{place} gives a {type(found).__name__}, not a torch.nn.Module")
    return found


def load_batch(file: Path) -> Any:
    """Return the batch that `torch.save((x, y), file)` wrote; nothing in it is executed.

    Raises:
        UsageError: there is no such file, or it holds more than tensors and containers of them.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"--data {shown(str(file))}: there is no such file") from None
    except Exception as error:
        raise UsageError(
            f"--data {shown(str(file))} is not a batch: save tensors with torch.save((x, y), FILE) "
            f"({type(error).__name__})"
        ) from error

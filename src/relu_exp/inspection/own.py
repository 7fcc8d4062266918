"""Nonlinearities that the user names: functions, classes of modules, modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn

from relu_exp.inspection import functions
from relu_exp.inspection.nodes import Layer, Node, Sum, Use
from relu_exp.inspection.trace import Trace, tensors_in

__all__ = ["Own"]


class Own:
    """Makes a layer of every call of what the user names; what happens inside is no layer.

    Attributes:
        called: ids of the modules that were called.
        names: of the functions that are not written in Python.
        codes: of the functions that are.
    """

    def __init__(self, trace: Trace, activations: Sequence[Any]) -> None:
        self._trace = trace
        self.called: set[int] = set()
        plain = [each for each in activations if not _is_module(each)]
        self._modules = tuple(each for each in activations if isinstance(each, type))
        self._ids = {id(each) for each in activations if isinstance(each, nn.Module)}
        self.codes: dict[CodeType, Callable[..., Tensor]] = {
            each.__code__: each for each in plain if hasattr(each, "__code__")
        }
        self.names = {functions.name_of(each) for each in plain if not hasattr(each, "__code__")}
        self._given: dict[FrameType, tuple[dict[str, Any], str]] = {}

    def before_module(self, module: nn.Module, given: Any) -> None:
        """Begin a layer where a module is one that the user names."""
        self.called.add(id(module))
        if self._is_own(module):
            tensors = tensors_in(given)
            self._trace.open.append((module, self._start(tensors)))

    def after_module(self, module: nn.Module, given: Any, result: Any) -> None:
        """End the layer of a module."""
        if self._trace.open and self._trace.open[-1][0] is module:
            self._close(type(module).__name__, module, result)

    def _is_own(self, module: nn.Module) -> bool:
        return id(module) in self._ids or isinstance(module, self._modules)

    def on_call(self, frame: FrameType, event: str, value: Any) -> None:
        """Begin and end the layer of a function; Python's profiler calls this."""
        own = self.codes.get(frame.f_code)
        if own is None:
            return
        with torch._C.DisableTorchFunction(), torch.no_grad():
            if event == "call":
                count = frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
                given = {name: frame.f_locals[name] for name in frame.f_code.co_varnames[:count]}
                first = next((name for name in given if isinstance(given[name], Tensor)), "")
                self._given[frame] = (given, first)
                self._trace.open.append((frame, self._start(tensors_in(given.values()))))
            elif event == "return" and self._trace.open and self._trace.open[-1][0] is frame:
                given, first = self._given.pop(frame)
                function = getattr(own, "__func__", own)
                again = lambda x: function(**{**given, first: x})  # noqa: E731
                self._close(own.__name__, again, value)

    def _start(self, tensors: list[Tensor]) -> Node | None:
        if not tensors:
            return None
        node = self._trace.node(tensors[0])
        node.value = tensors[0].detach().clone()
        node.version = node.value._version
        return node

    def _close(self, name: str, own: Callable[..., Tensor], result: Any) -> None:
        _, below = self._trace.open.pop()
        if below is None or not isinstance(result, Tensor) or below.value is None:
            return
        if result.shape != below.value.shape or below.use is None:
            self._trace.miss("own", name)
            return
        node = Node(use=below.use, axis=below.axis, ancestors=(*below.ancestors, below))
        node.layer = Layer(name, below, node, below.use, below.axis, own=own)
        node.inner, node.is_nonlinear = (node.layer,), True
        node.plain = node.layer if isinstance(below.plain, Use | Sum) else None
        self._trace.set(result, node)
        self._trace.layers.append(node.layer)


def _is_module(each: Any) -> bool:
    return isinstance(each, nn.Module) or (isinstance(each, type) and issubclass(each, nn.Module))

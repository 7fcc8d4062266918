"""Sees the nonlinearities of a forward pass, wherever PyTorch's functions are called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode

from relu_exp.inspection import functions
from relu_exp.inspection.elementwise import activate, combine, primary
from relu_exp.inspection.nodes import DATA, Layer, Node, Use
from relu_exp.inspection.own import Own
from relu_exp.inspection.products import multiplies, weigh
from relu_exp.inspection.sentences import Sentence
from relu_exp.inspection.trace import Trace, tensors_in
from relu_exp.inspection.views import pass_on

__all__ = ["Seeing"]


class Seeing(TorchFunctionMode):
    """Within the context, every elementwise nonlinearity becomes one of `layers`, in order.

    Args:
        model: the network; its parameters are the weights.
        activations: further nonlinearities: functions, module classes, modules.
    """

    def __init__(self, model: nn.Module, activations: Sequence[Any] = ()) -> None:
        super().__init__()
        self.model = model
        self._trace = Trace(model)
        self._own = Own(self._trace, activations)
        self._hooks: list[Any] = []
        self._profile: Any = None

    @property
    def layers(self) -> list[Layer]:
        """What was seen."""
        return self._trace.layers

    @property
    def uses(self) -> list[Use]:
        """Every multiplication by weights."""
        return self._trace.uses

    @property
    def unseen(self) -> list[Sentence]:
        """What was noticed and is not among the layers."""
        return self._trace.unseen

    # The context ----------------------------------------------------------------------------

    def __enter__(self) -> Seeing:
        self._hooks = [
            module_hooks.register_module_forward_pre_hook(self._own.before_module),
            module_hooks.register_module_forward_hook(self._own.after_module),
        ]
        if self._own.codes:
            self._profile = sys.getprofile()
            sys.setprofile(self._own.on_call)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)  # type: ignore[no-untyped-call]
        finally:
            if self._own.codes:
                sys.setprofile(self._profile)
            for hook in self._hooks:
                hook.remove()

    def feed(self, inputs: Iterable[Any]) -> None:
        """Take the tensors of a batch as data."""
        self._trace.feed(inputs)

    def finish(self) -> None:
        """Name the layers, and list what was not seen; to be called after the pass."""
        self._trace.layers = [layer for layer in self._trace.layers if layer.use is not None]
        counts: dict[str, int] = {}
        for layer in self._trace.layers:
            assert layer.use is not None
            name = layer.use.name or f"weights {layer.use.order}"
            counts[name] = counts.get(name, 0) + 1
            layer.name = name if counts[name] == 1 else f"{name} #{counts[name]}"
            for node in (layer.below, layer.above):
                if node.tensor is not None and node.edge is None and node.tensor.requires_grad:
                    node.edge = get_gradient_edge(node.tensor)
                if node.value is not None and node.value._version != node.version:
                    self._trace.miss("overwritten", layer.name)
        for name, module in self.model.named_modules():
            kind = type(module).__name__
            called = f"{name} ({kind})" if name else kind
            if isinstance(module, torch.jit.ScriptModule):
                self._trace.miss("jit", called)
            elif kind in functions.FUSED_MODULES:
                self._trace.miss("fused", called)
            elif _is_activation(module) and id(module) not in self._own.called:
                self._trace.miss("not_called", called)
            elif not self._trace.has_met(module.parameters(recurse=False)):
                self._trace.miss("not_used", called)

    # Every call of a function of PyTorch -----------------------------------------------------

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and note what it means."""
        kwargs = kwargs or {}
        name = functions.name_of(func)
        if name in ("get", "set", "delete", "size", "dim", "backward"):
            result = func(*args, **kwargs)
            if name == "get" and isinstance(result, Tensor) and result.dim():
                self._guard(self._pass_on, "reshape", func, args, kwargs, result)
            return result
        if _overwrites(func, args, kwargs):
            self._trace.keep_value(args[0])
        nodes = [self._trace.node(each) for each in tensors_in([*args, *kwargs.values()])]
        result = func(*args, **kwargs)
        if isinstance(result, (Tensor, tuple | list)):
            self._guard(self._note, name, func, args, kwargs, result, nodes)
        return result

    def _guard(self, note: Callable[..., None], *given: Any) -> None:
        # a network must not fail because something about it is not understood
        try:
            with torch.no_grad():
                note(*given)
        except Exception as error:
            self._trace.miss("error", str(given[0]), error=f"{type(error).__name__}: {error}")

    def _pass_on(self, name: str, *given: Any) -> None:
        pass_on(self._trace, name, *given)

    def _note(
        self, name: str, func: Any, args: Any, kwargs: Any, result: Any, nodes: list[Node]
    ) -> None:
        trace = self._trace
        weights = [node for node in nodes if node.is_parameter]
        others = [node for node in nodes if not node.is_parameter]
        if not functions.keeps_units(name):
            for read in {id(node.product): node.product for node in others}.values():
                if read is not None:
                    read.num_readers += 1
        if weights and not others:
            largest = max(
                weights, key=lambda node: node.value.numel() if node.value is not None else 0
            )
            trace.set(result, Node(is_parameter=True, name=largest.name))
        elif multiplies(name, weights):
            weigh(trace, name, args, kwargs, result, others[0])
        elif name in functions.ACTIVATIONS or name in self._own.names:
            activate(trace, name, func, args, kwargs, result, nodes[0])
        elif functions.is_elementwise(name) and isinstance(result, Tensor):
            combine(trace, name, func, args, kwargs, result, others)
        elif functions.keeps_units(name):
            pass_on(trace, name, func, args, kwargs, result)
        elif others:
            if name in functions.FUSED:
                trace.miss("fused", name)
            first = primary(others)
            plain = DATA if all(node.plain is DATA for node in others) else None
            node = Node(use=first.use, is_direct=first.is_direct, axis=first.axis, plain=plain)
            trace.set(result, node)
        else:
            trace.set(result, Node(plain=DATA))


def _overwrites(func: Any, args: Any, kwargs: Any) -> bool:
    name = str(getattr(func, "__name__", ""))
    if name in ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"):
        return True
    if name.endswith("_") and not name.endswith("__"):
        return bool(args)  # the functions of `nn.init` give their tensor by name
    is_functional = getattr(func, "__module__", "") == "torch.nn.functional"
    is_told = any(each is True for each in (*args[1:], kwargs.get("inplace")))
    return bool(args) and is_functional and is_told


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and type(
        module
    ).__name__ not in ("MultiheadAttention", "Softmax", "Softmax2d", "LogSoftmax", "Softmin")

"""Sees the nonlinearities of a forward pass, wherever PyTorch's functions are called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.modules import module as module_hooks
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from relu_exp.inspection import functions
from relu_exp.inspection.nodes import DATA, Layer, Node, Use, latest_common

__all__ = ["Seeing", "tensors_in"]

_EXACT_VIEWS = frozenset(
    ["flatten", "view", "reshape", "contiguous", "clone", "unsqueeze", "squeeze", "float", "double"]
)
_KNOWN_HAND_WRITTEN = {("mul", "sigmoid"): "swish", ("mul", "softplus", "tanh"): "mish"}


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """Return the tensors among arguments, and in lists, tuples and dictionaries of them."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(value)
        elif isinstance(value, dict):
            found += tensors_in(value.values())
    return found


class Seeing(TorchFunctionMode):
    """Within the context, every elementwise nonlinearity becomes one of `layers`, in order.

    Args:
        model: the network; its parameters are the weights.
        activations: further nonlinearities: functions, module classes, modules.

    Attributes:
        layers: what was seen.
        uses: every multiplication by weights.
        unseen: what was noticed and is not among the layers, in words.
    """

    def __init__(self, model: nn.Module, activations: Sequence[Any] = ()) -> None:
        super().__init__()
        self.model = model
        self.layers: list[Layer] = []
        self.uses: list[Use] = []
        self.unseen: list[str] = []
        self.called: set[int] = set()
        self._nodes: Any = WeakTensorKeyDictionary()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._known = {id(buffer) for buffer in model.buffers()}
        self._own = [each for each in activations if not _is_module(each)]
        self._own_modules = tuple(each for each in activations if isinstance(each, type))
        self._own_ids = {id(each) for each in activations if isinstance(each, nn.Module)}
        self._codes: dict[CodeType, Callable[..., Tensor]] = {
            each.__code__: each for each in self._own if hasattr(each, "__code__")
        }
        self._own_names = {
            functions.name_of(each) for each in self._own if not hasattr(each, "__code__")
        }
        self._open: list[tuple[object, Node | None]] = []
        self._given: dict[FrameType, tuple[dict[str, Any], str]] = {}
        self._hooks: list[Any] = []
        self._profile: Any = None

    # The context ----------------------------------------------------------------------------

    def __enter__(self) -> Seeing:
        self._hooks = [
            module_hooks.register_module_forward_pre_hook(self._before_module),
            module_hooks.register_module_forward_hook(self._after_module),
        ]
        if self._codes:
            self._profile = sys.getprofile()
            sys.setprofile(self._on_call)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)  # type: ignore[no-untyped-call]
        finally:
            if self._codes:
                sys.setprofile(self._profile)
            for hook in self._hooks:
                hook.remove()

    def feed(self, inputs: Iterable[Any]) -> None:
        """Take the tensors of a batch as data."""
        for tensor in tensors_in(inputs):
            self._nodes[tensor] = self._kept(Node(plain=DATA), tensor)

    def finish(self) -> None:
        """Name the layers, and list what was not seen; to be called after the pass."""
        self.layers = [layer for layer in self.layers if layer.use is not None]
        counts: dict[str, int] = {}
        for layer in self.layers:
            assert layer.use is not None
            name = layer.use.name or f"weights {layer.use.order}"
            counts[name] = counts.get(name, 0) + 1
            layer.name = name if counts[name] == 1 else f"{name} #{counts[name]}"
            for node in (layer.below, layer.above):
                if node.tensor is not None and node.edge is None and node.tensor.requires_grad:
                    node.edge = get_gradient_edge(node.tensor)
                if node.value is not None and node.value._version != node.version:
                    self._miss(f"{layer.name}: its numbers were overwritten through a view")
        for name, module in self.model.named_modules():
            kind = type(module).__name__
            if isinstance(module, torch.jit.ScriptModule):
                self._miss(f"{name or 'the network'} ({kind}): compiled by torch.jit")
            elif kind in functions.FUSED_MODULES:
                self._miss(f"{name} ({kind}): its nonlinearities are not elementwise")
            elif _is_activation(module) and id(module) not in self.called:
                self._miss(f"{name} ({kind}): not called in this pass")

    def _miss(self, text: str) -> None:
        if text not in self.unseen:
            self.unseen.append(text)

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
            self._keep_value(args[0])
        nodes = [self._node(each) for each in tensors_in([*args, *kwargs.values()])]
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
            self._miss(f"{given[0]}: {type(error).__name__}: {error}")

    def _note(
        self, name: str, func: Any, args: Any, kwargs: Any, result: Any, nodes: list[Node]
    ) -> None:
        weights = [node for node in nodes if node.is_parameter]
        others = [node for node in nodes if not node.is_parameter]
        if weights and not others:
            largest = max(
                weights, key=lambda node: node.value.numel() if node.value is not None else 0
            )
            self._set(result, Node(is_parameter=True, name=largest.name))
        elif self._multiplies(name, weights):
            self._weigh(name, args, kwargs, result, others[0])
        elif name in functions.ACTIVATIONS or name in self._own_names:
            self._activate(name, func, args, kwargs, result, nodes[0])
        elif functions.is_elementwise(name) and isinstance(result, Tensor):
            self._combine(name, func, args, kwargs, result, others)
        elif functions.keeps_units(name):
            self._pass_on(name, func, args, kwargs, result)
        elif others:
            if name in functions.FUSED:
                self._miss(f"{name}: its nonlinearities are not elementwise")
            first = _primary(others)
            self._set(result, Node(use=first.use, is_direct=first.is_direct, axis=first.axis))
        else:
            self._set(result, Node(plain=DATA))

    def _multiplies(self, name: str, weights: list[Node]) -> bool:
        if not weights or "norm" in name or functions.is_elementwise(name):
            return False
        is_matrix = any(node.value is not None and node.value.dim() > 1 for node in weights)
        return is_matrix and not functions.keeps_units(name) and name not in ("cat", "stack")

    def _weigh(self, name: str, args: Any, kwargs: Any, result: Any, x: Node) -> None:
        given = list(tensors_in([*args, *kwargs.values()]))
        matrices = [each for each in given if self._node(each).is_parameter and each.dim() > 1]
        weight = matrices[-1]
        is_left = name in ("matmul", "mm", "bmm") and given[0] is weight
        use = Use(
            weight=weight,
            name=self._node(weight).name.removesuffix(".weight"),
            function=name,
            axis=-2 if is_left else functions.WEIGHT_FUNCTIONS.get(name, -1),
            order=len(self.uses) + 1,
            is_transposed=not is_left
            and (name in ("matmul", "mm", "addmm") or name.startswith("conv_transpose")),
        )
        if weight.requires_grad:
            use.edge = get_gradient_edge(weight)
        self.uses.append(use)
        if x.candidate is not None:
            self._promote(x.candidate)
        if x.use is None and x.plain is None:
            self._miss(f"before {use.name or name}: a function that PyTorch does not show")
        plain: object = None
        if name in ("linear", "matmul", "mm", "addmm") and x.plain is not None:
            plain, use.below = use, x.plain
            if x.plain is DATA and x.value is not None and x.value.is_floating_point():
                values = x.value.double().square()
                use.squares = values.mean(0 if is_left else -1).flatten().cpu()
        if name in ("linear", "addmm"):
            biases = [
                each for each in given if each is not weight and self._node(each).is_parameter
            ]
            use.bias = biases[0] if biases else None
        self._set(result, Node(use=use, is_direct=True, axis=use.axis, plain=plain))

    def _activate(
        self, name: str, func: Any, args: Any, kwargs: Any, result: Tensor, x: Node
    ) -> None:
        node = Node(
            use=x.use,
            axis=x.axis,
            ancestors=(*x.ancestors, x),
            step=(func, self._as_nodes(args, x), kwargs),
            is_nonlinear=True,
            words=(*x.words, name),
        )
        if x.use is not None and not self._is_inside_own():
            node.layer = Layer(name, below=x, above=node, use=x.use, axis=x.axis)
            node.plain = node.layer if isinstance(x.plain, Use) else None
            self.layers.append(node.layer)
        elif x.use is None:
            node.plain = DATA
        node.inner = (*x.inner, *([node.layer] if node.layer else []))
        self._set(result, node)

    def _combine(
        self, name: str, func: Any, args: Any, kwargs: Any, result: Tensor, others: list[Node]
    ) -> None:
        """Note an elementwise function of one or several tensors."""
        varying = [node for node in others if node.use is not None] or others[:1]
        if not varying or varying[0].use is None:
            self._set(result, Node(plain=DATA))
            return
        unique = list({id(node): node for node in varying}.values())
        common = latest_common(unique)
        first = _primary(unique)
        # data of the same shape, such as a mask or a skip connection of the input, vary too
        is_mixed = any(
            node.use is None and node.value is not None and node.value.dim() > 0 for node in others
        ) and name not in ("where", "maximum", "minimum", "fmax", "fmin")
        if common is None or is_mixed:
            self._set(result, Node(use=first.use, is_direct=first.is_direct, axis=first.axis))
            return
        place = (*common.ancestors, common)
        is_product = len(varying) > 1 and name in (
            "mul",
            "multiply",
            "div",
            "true_divide",
            "divide",
        )
        node = Node(
            use=common.use,
            is_direct=common.is_direct,
            axis=common.axis,
            ancestors=place if len(unique) > 1 else (*unique[0].ancestors, unique[0]),
            step=(func, self._as_nodes(args), {k: self._as_node(v) for k, v in kwargs.items()}),
            is_nonlinear=name in functions.NONLINEAR
            or is_product
            or any(each.is_nonlinear for each in unique),
            words=(*(word for each in unique for word in each.words), name),
            inner=tuple(dict.fromkeys(layer for each in unique for layer in each.inner)),
        )
        if _is_bias(name, unique, func, args, self) and isinstance(unique[0].plain, Use):
            node.plain = unique[0].plain
        if node.is_nonlinear:
            node.candidate = node
        replaced = [layer for layer in node.inner if id(common) in _chain(layer.below)]
        self._set(result, node)
        if len(unique) > 1 and replaced:
            self._replace(replaced, common, node, result)
        elif unique[0].layer is not None and unique[0].layer.function in (*_HAND_WRITTEN, "own"):
            # a factor of what a hand-written activation returns belongs to it
            self._replace([unique[0].layer], unique[0].layer.below, node, result)

    def _replace(self, replaced: list[Layer], below: Node, node: Node, result: Tensor) -> None:
        """Put one layer in the place of those that are parts of its function."""
        words = tuple(sorted({word for word in node.words if word in functions.ACTIVATIONS}))
        name = _KNOWN_HAND_WRITTEN.get(("mul", *words), "own")
        layer = Layer(name, below=below, above=node, use=below.use, axis=below.axis)
        places = [self.layers.index(each) for each in replaced if each in self.layers]
        self.layers = [each for each in self.layers if each not in replaced]
        self.layers.insert(min(places, default=len(self.layers)), layer)
        node.layer, node.inner, node.candidate = layer, (layer,), None
        # inside an autograd.Function it has its gradient only when that returns
        node.tensor = result if node.edge is None else None
        node.plain = layer if isinstance(below.plain, Use) else None

    def _promote(self, node: Node) -> None:
        """Make a layer of a function that only now is known to feed weights."""
        if node.layer is not None or node.inner or self._is_inside_own():
            return
        start = next(
            (
                each
                for each, after in zip(node.ancestors, (*node.ancestors[1:], node), strict=True)
                if after.is_nonlinear
            ),
            None,
        )
        if start is None or start.use is None:
            return
        last = node.words[-1]
        is_alone = [w for w in node.words if w in functions.NONLINEAR] == [last]
        node.layer = Layer(last if is_alone else "own", start, node, start.use, start.axis)
        node.plain = node.layer if isinstance(start.plain, Use) else None
        self.layers.append(node.layer)

    def _pass_on(self, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        given = tensors_in(args)
        if not given:
            return
        x = self._node(given[0])
        is_exact = name in _EXACT_VIEWS or (name.endswith("dropout") and result is given[0])
        node = Node(
            use=x.use,
            is_direct=x.is_direct,
            is_parameter=x.is_parameter,
            name=x.name,
            axis=_moved(name, func, args, x, result),
            plain=x.plain if is_exact or x.plain is DATA else None,
            candidate=x.candidate or (x if x.is_nonlinear else None),
        )
        self._set(result, node)

    # Functions and modules that the user names ----------------------------------------------

    def _is_inside_own(self) -> bool:
        return bool(self._open)

    def _before_module(self, module: nn.Module, given: Any) -> None:
        self.called.add(id(module))
        if self._is_own(module):
            tensors = tensors_in(given)
            self._open.append((module, self._start(tensors)))

    def _after_module(self, module: nn.Module, given: Any, result: Any) -> None:
        if self._open and self._open[-1][0] is module:
            self._close(type(module).__name__, module, result)

    def _is_own(self, module: nn.Module) -> bool:
        return id(module) in self._own_ids or isinstance(module, self._own_modules)

    def _on_call(self, frame: FrameType, event: str, value: Any) -> None:
        own = self._codes.get(frame.f_code)
        if own is None:
            return
        with torch._C.DisableTorchFunction(), torch.no_grad():
            if event == "call":
                count = frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
                given = {name: frame.f_locals[name] for name in frame.f_code.co_varnames[:count]}
                first = next((name for name in given if isinstance(given[name], Tensor)), "")
                self._given[frame] = (given, first)
                self._open.append((frame, self._start(tensors_in(given.values()))))
            elif event == "return" and self._open and self._open[-1][0] is frame:
                given, first = self._given.pop(frame)
                function = getattr(own, "__func__", own)
                again = lambda x: function(**{**given, first: x})  # noqa: E731
                self._close(own.__name__, again, value)

    def _start(self, tensors: list[Tensor]) -> Node | None:
        if not tensors:
            return None
        node = self._node(tensors[0])
        node.value = tensors[0].detach().clone()
        node.version = node.value._version
        return node

    def _close(self, name: str, own: Callable[..., Tensor], result: Any) -> None:
        _, below = self._open.pop()
        if below is None or not isinstance(result, Tensor) or below.value is None:
            return
        if result.shape != below.value.shape or below.use is None:
            self._miss(f"{name}: it is not elementwise")
            return
        node = Node(use=below.use, axis=below.axis, ancestors=(*below.ancestors, below))
        node.layer = Layer(name, below, node, below.use, below.axis, own=own)
        node.inner, node.is_nonlinear = (node.layer,), True
        node.plain = node.layer if isinstance(below.plain, Use) else None
        self._set(result, node)
        self.layers.append(node.layer)

    # The nodes of tensors -------------------------------------------------------------------

    def _node(self, tensor: Tensor) -> Node:
        found = self._nodes.get(tensor)
        if found is None:
            found = Node()
            if id(tensor) in self._names or isinstance(tensor, nn.Parameter):
                found = Node(is_parameter=True, name=self._names.get(id(tensor), ""))
            elif id(tensor) in self._known or not tensor.requires_grad:
                found = Node(plain=DATA)
            self._nodes[tensor] = self._kept(found, tensor)
        node: Node = found
        return node

    def _set(self, result: Any, node: Node) -> None:
        for index, tensor in enumerate(tensors_in([result])):
            self._nodes[tensor] = self._kept(node if index == 0 else replace(node), tensor)

    def _kept(self, node: Node, tensor: Tensor) -> Node:
        node.value, node.version = tensor.detach(), tensor._version
        if tensor.grad_fn is not None:
            node.edge = get_gradient_edge(tensor)
        elif node.layer is not None:
            node.tensor = tensor
        return node

    def _keep_value(self, tensor: Any) -> None:
        if isinstance(tensor, Tensor) and (node := self._nodes.get(tensor)) is not None:
            node.value = tensor.detach().clone()
            node.version = node.value._version

    def _as_nodes(self, args: Any, first: Node | None = None) -> tuple[Any, ...]:
        return tuple(
            first if first is not None and index == 0 else self._as_node(each)
            for index, each in enumerate(args)
        )

    def _as_node(self, each: Any) -> Any:
        if isinstance(each, Tensor):
            node = self._node(each)
            return each if node.is_parameter else node
        return each


_HAND_WRITTEN = frozenset(_KNOWN_HAND_WRITTEN.values())


def _chain(node: Node) -> set[int]:
    return set(map(id, (*node.ancestors, node)))


def _primary(nodes: Sequence[Node]) -> Node:
    """Return the operand with the newest weights, of those that no nonlinearity has changed."""
    used = [node for node in nodes if node.use is not None]
    direct = [node for node in used if node.is_direct] or used
    if not direct:
        return nodes[0]
    return max(direct, key=lambda node: node.use.order if node.use else 0)


def _overwrites(func: Any, args: Any, kwargs: Any) -> bool:
    name = str(getattr(func, "__name__", ""))
    if name in ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__"):
        return True
    if name.endswith("_") and not name.endswith("__"):
        return True
    is_functional = getattr(func, "__module__", "") == "torch.nn.functional"
    is_told = any(each is True for each in (*args[1:], kwargs.get("inplace")))
    return bool(args) and is_functional and is_told


def _is_module(each: Any) -> bool:
    return isinstance(each, nn.Module) or (isinstance(each, type) and issubclass(each, nn.Module))


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and type(
        module
    ).__name__ not in ("MultiheadAttention", "Softmax", "Softmax2d", "LogSoftmax", "Softmin")


def _is_bias(name: str, unique: list[Node], func: Any, args: Any, seeing: Seeing) -> bool:
    """Return whether a function adds a parameter to the product of a plain chain, and note it."""
    if name != "add" or len(unique) > 1 or not isinstance(unique[0].plain, Use):
        return False
    added = [each for each in tensors_in(args) if seeing._node(each).is_parameter]
    if len(added) != 1 or unique[0].plain.bias is not None:
        return False
    unique[0].plain.bias = added[0]
    return True


def _moved(name: str, func: Any, args: Any, x: Node, result: Any) -> int:
    """Return the axis of the units after a view."""
    if not isinstance(result, Tensor) or x.value is None or x.value.dim() < 2:
        return x.axis
    dims, axis = x.value.dim(), x.axis % x.value.dim() if x.value.dim() else 0
    if name == "permute":
        order = args[1] if isinstance(args[1], list | tuple) else args[1:]
        return [int(each) % dims for each in order].index(axis)
    if name == "transpose":
        one, two = int(args[1]) % dims, int(args[2]) % dims
        return {one: two, two: one}.get(axis, axis)
    return x.axis

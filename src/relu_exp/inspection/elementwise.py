"""Elementwise functions of a pass: which of them is a nonlinearity, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from relu_exp.inspection import functions
from relu_exp.inspection.nodes import DATA, Layer, Node, Sum, Use, latest_common
from relu_exp.inspection.trace import Trace, tensors_in

__all__ = ["activate", "combine", "primary", "promote"]

_KNOWN_HAND_WRITTEN = {("mul", "sigmoid"): "swish", ("mul", "softplus", "tanh"): "mish"}
_HAND_WRITTEN = frozenset(_KNOWN_HAND_WRITTEN.values())


def activate(
    trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Tensor, x: Node
) -> None:
    """Note a function that is a nonlinearity wherever it is called."""
    if name == "hardtanh":
        name = _hardtanh(*args[1:3], **kwargs)
    node = Node(
        use=x.use,
        axis=x.axis,
        ancestors=(*x.ancestors, x),
        step=(func, trace.as_nodes(args, x), kwargs),
        is_nonlinear=True,
        words=(*x.words, name),
    )
    if x.use is not None and not trace.is_inside_own:
        node.layer = Layer(name, below=x, above=node, use=x.use, axis=x.axis)
        node.plain = node.layer if isinstance(x.plain, Use | Sum) else None
        trace.layers.append(node.layer)
    elif x.use is None:
        node.plain = DATA
    node.inner = (*x.inner, *([node.layer] if node.layer else []))
    trace.set(result, node)


def _hardtanh(min_val: float = -1.0, max_val: float = 1.0, **_: Any) -> str:
    """Return the name of what is cut off at two values: from 0 on it is a rectifier."""
    if min_val != 0:
        return "hardtanh"
    return "relu6" if max_val == 6 else "clamp"


def combine(
    trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Tensor, others: list[Node]
) -> None:
    """Note an elementwise function of one or several tensors."""
    varying = [node for node in others if node.use is not None] or others[:1]
    if not varying or varying[0].use is None:
        trace.set(result, Node(plain=DATA))
        return
    unique = list({id(node): node for node in varying}.values())
    common = latest_common(unique)
    first = primary(unique)
    # data of the same shape, such as a mask or a skip connection of the input, vary too
    is_mixed = any(
        node.use is None and node.value is not None and node.value.dim() > 0 for node in others
    ) and name not in ("where", "maximum", "minimum", "fmax", "fmin")
    if common is None or is_mixed:
        plain = None if is_mixed else _sum(name, kwargs, others)
        node = Node(use=first.use, is_direct=first.is_direct, axis=first.axis, plain=plain)
        trace.set(result, node)
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
        step=(func, trace.as_nodes(args), {k: trace.as_node(v) for k, v in kwargs.items()}),
        is_nonlinear=name in functions.NONLINEAR
        or is_product
        or any(each.is_nonlinear for each in unique),
        words=(*(word for each in unique for word in each.words), name),
        inner=tuple(dict.fromkeys(layer for each in unique for layer in each.inner)),
    )
    if _is_bias(name, unique, func, args, trace) and isinstance(unique[0].plain, Use):
        node.plain = unique[0].plain
    if node.is_nonlinear:
        node.candidate = node
    replaced = [layer for layer in node.inner if id(common) in _chain(layer.below)]
    trace.set(result, node)
    if len(unique) > 1 and replaced:
        _replace(trace, replaced, common, node, result)
    elif unique[0].layer is not None and unique[0].layer.function in (*_HAND_WRITTEN, "own"):
        # a factor of what a hand-written activation returns belongs to it
        _replace(trace, [unique[0].layer], unique[0].layer.below, node, result)


def _replace(trace: Trace, replaced: list[Layer], below: Node, node: Node, result: Tensor) -> None:
    """Put one layer in the place of those that are parts of its function."""
    words = tuple(sorted({word for word in node.words if word in functions.ACTIVATIONS}))
    name = _KNOWN_HAND_WRITTEN.get(("mul", *words), "own")
    layer = Layer(name, below=below, above=node, use=below.use, axis=below.axis)
    places = [trace.layers.index(each) for each in replaced if each in trace.layers]
    trace.layers = [each for each in trace.layers if each not in replaced]
    trace.layers.insert(min(places, default=len(trace.layers)), layer)
    node.layer, node.inner, node.candidate = layer, (layer,), None
    # inside an autograd.Function it has its gradient only when that returns
    node.tensor = result if node.edge is None else None
    node.plain = layer if isinstance(below.plain, Use | Sum) else None


def promote(trace: Trace, node: Node) -> None:
    """Make a layer of a function that only now is known to feed weights."""
    if node.layer is not None or node.inner or trace.is_inside_own:
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
    node.plain = node.layer if isinstance(start.plain, Use | Sum) else None
    trace.layers.append(node.layer)


def _chain(node: Node) -> set[int]:
    return set(map(id, (*node.ancestors, node)))


def primary(nodes: Sequence[Node]) -> Node:
    """Return the operand with the newest weights, of those that no nonlinearity has changed."""
    used = [node for node in nodes if node.use is not None]
    direct = [node for node in used if node.is_direct] or used
    if not direct:
        return nodes[0]
    return max(direct, key=lambda node: node.use.order if node.use else 0)


def _sum(name: str, kwargs: Any, added: Sequence[Node]) -> Sum | None:
    """Return the sum of two tensors of equal shape in a plain network; None for anything else."""
    if name != "add" or kwargs or len(added) != 2:
        return None
    one, other = added
    if one.value is None or other.value is None or one.value.shape != other.value.shape:
        return None
    if not all(isinstance(each.plain, Use | Layer | Sum) for each in added):
        return None
    return Sum((one.plain, other.plain))


def _is_bias(name: str, unique: list[Node], func: Any, args: Any, trace: Trace) -> bool:
    """Return whether a function adds a parameter to the product of a plain chain, and note it."""
    if name != "add" or len(unique) > 1 or not isinstance(unique[0].plain, Use):
        return False
    added = [each for each in tensors_in(args) if trace.node(each).is_parameter]
    if len(added) != 1 or unique[0].plain.bias is not None:
        return False
    unique[0].plain.bias = added[0]
    return True

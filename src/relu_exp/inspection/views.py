"""Views, pools and dropout: what passes on its units, and on which axis they are then."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from relu_exp.inspection.nodes import DATA, Node
from relu_exp.inspection.trace import Trace, tensors_in

__all__ = ["pass_on"]

_EXACT_VIEWS = frozenset(
    ["flatten", "view", "reshape", "contiguous", "clone", "unsqueeze", "squeeze", "float", "double"]
)


def pass_on(trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
    """Note a function whose result has the units of what it receives."""
    given = tensors_in(args)
    if not given:
        return
    x = trace.node(given[0])
    is_exact = name in _EXACT_VIEWS or (name.endswith("dropout") and result is given[0])
    node = Node(
        use=x.use,
        is_direct=x.is_direct,
        is_parameter=x.is_parameter,
        name=x.name,
        axis=_moved(name, func, args, x, result),
        product=x.product if is_exact else None,
        plain=x.plain if is_exact or x.plain is DATA else None,
        candidate=x.candidate or (x if x.is_nonlinear else None),
    )
    trace.set(result, node)


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

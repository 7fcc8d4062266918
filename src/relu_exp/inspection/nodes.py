"""What is known of each tensor of a forward pass: its weights, and which function of what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["DATA", "Layer", "Node", "Sum", "Use", "evaluate", "latest_common"]

DATA = "data"
"""`plain` of a tensor that no weight has touched."""


@dataclass(eq=False)
class Use:
    """One multiplication by weights.

    Attributes:
        weight: the weights as the function received them: (out, in, ...) or, where
            `is_transposed`, (in, out, ...).
        name: the parameter's name, without `.weight`; empty if it has none.
        axis: the axis of the units in the result.
        order: counts the uses of a pass.
        below: in a plain network what it multiplies: `DATA`, a layer or a sum; else None.
        squares: mean over the features of the squared data below (samples,), if `DATA` is below.
        bias: what is added in a plain network.
        stacked_on: the dense weights whose product it multiplies as it is; None if there are none.
        data: what it multiplies if no weight has touched it, and it is dense or a convolution.
        num_readers: functions that receive the result of dense weights as it is.
    """

    weight: Tensor
    name: str
    function: str
    axis: int
    order: int
    is_transposed: bool = False
    below: object = None
    squares: Tensor | None = None
    bias: Tensor | None = None
    stacked_on: Use | None = None
    data: Tensor | None = None
    num_readers: int = 0
    edge: Any = None


@dataclass(eq=False)
class Sum:
    """The sum of two tensors of a plain network, such as a residual branch and what it skips."""

    parts: tuple[object, object]


@dataclass(eq=False)
class Node:
    """One tensor. `ancestors` are the tensors that it is an elementwise function of, oldest first.

    `step` is the function that made it from the last of them, with nodes in place of tensors.
    `inner` are the layers that this elementwise function contains.
    `plain` is what the tensor is to the theory: a use of weights, a layer, a sum, or `DATA`; None
    where it is anything else. `product` is the use of dense weights whose result the tensor is.
    """

    use: Use | None = None
    product: Use | None = None
    is_direct: bool = False
    is_parameter: bool = False
    name: str = ""
    axis: int = -1
    plain: object = None
    ancestors: tuple[Node, ...] = ()
    step: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]] | None = None
    is_nonlinear: bool = False
    inner: tuple[Layer, ...] = ()
    layer: Layer | None = None
    candidate: Node | None = None
    words: tuple[str, ...] = ()
    value: Tensor | None = None
    version: int = 0
    tensor: Tensor | None = None
    edge: Any = None


@dataclass(eq=False)
class Layer:
    """One nonlinearity φ in a pass: a = φ(z), elementwise.

    `below` is the tensor z and `above` the tensor a. `own` is φ where the user names it.
    """

    function: str
    below: Node
    above: Node
    use: Use | None
    axis: int
    name: str = ""
    own: Callable[..., Tensor] | None = None

    def phi(self, x: Tensor) -> Tensor:
        """Return φ(x) for x of any shape that broadcasts as z does, differentiable by autograd."""
        if self.own is not None:
            return self.own(x)
        return evaluate(self.above, self.below, x)


def evaluate(node: Node, at: Node, x: Tensor) -> Tensor:
    """Return what a node would be if the node `at` below it were x."""
    found: dict[int, Any] = {id(at): x}

    def value(each: Any) -> Any:
        if isinstance(each, Node):
            if id(each) not in found:
                if each.step is None:
                    assert each.value is not None
                    found[id(each)] = each.value.to(x.dtype)
                else:
                    function, args, kwargs = each.step
                    given = [value(arg) for arg in args]
                    # a copy, because the function may overwrite it
                    given[:1] = [given[0].clone() if isinstance(given[0], Tensor) else given[0]]
                    named = {key: value(arg) for key, arg in kwargs.items() if key != "out"}
                    found[id(each)] = function(*given, **named)
            return found[id(each)]
        if isinstance(each, Tensor) and each.is_floating_point():
            return each.detach().to(x.dtype)
        # φ is evaluated in the precision of x, whatever the pass was cast to
        return x.dtype if isinstance(each, torch.dtype) else each

    with torch.enable_grad():
        result: Tensor = value(node)
    return result


def latest_common(nodes: list[Node]) -> Node | None:
    """Return the last tensor that all of several tensors are elementwise functions of."""
    chains = [(*node.ancestors, node) for node in nodes]
    shared = set(map(id, chains[0])).intersection(*(set(map(id, chain)) for chain in chains[1:]))
    return next((node for node in reversed(chains[0]) if id(node) in shared), None)

"""Multiplications by weights: where a layer begins."""

from __future__ import annotations

from typing import Any

from torch.autograd.graph import get_gradient_edge

from relu_exp.inspection import functions
from relu_exp.inspection.elementwise import promote
from relu_exp.inspection.nodes import DATA, Node, Use
from relu_exp.inspection.trace import Trace, tensors_in

__all__ = ["multiplies", "weigh"]


def multiplies(name: str, weights: list[Node]) -> bool:
    """Return whether a function multiplies by weights."""
    if not weights or "norm" in name or functions.is_elementwise(name):
        return False
    is_matrix = any(node.value is not None and node.value.dim() > 1 for node in weights)
    return is_matrix and not functions.keeps_units(name) and name not in ("cat", "stack")


def weigh(trace: Trace, name: str, args: Any, kwargs: Any, result: Any, x: Node) -> None:
    """Note a multiplication by weights of the tensor whose node is x."""
    given = list(tensors_in([*args, *kwargs.values()]))
    matrices = [each for each in given if trace.node(each).is_parameter and each.dim() > 1]
    weight = matrices[-1]
    if name == "mv" and weight.requires_grad and not result.requires_grad:
        trace.set(result, Node(plain=DATA))  # the power iteration of a spectral norm
        return
    is_left = name in ("matmul", "mm", "bmm") and given[0] is weight
    use = Use(
        weight=weight,
        name=trace.node(weight).name.removesuffix(".weight"),
        function=name,
        axis=-2 if is_left else functions.WEIGHT_FUNCTIONS.get(name, -1),
        order=len(trace.uses) + 1,
        is_transposed=not is_left
        and (name in ("matmul", "mm", "addmm") or name.startswith("conv_transpose")),
    )
    if weight.requires_grad:
        use.edge = get_gradient_edge(weight)
    trace.uses.append(use)
    if x.candidate is not None:
        promote(trace, x.candidate)
    if x.use is None and x.plain is None:
        trace.miss("before", use.name or name)
    plain: object = None
    is_dense = name in ("linear", "matmul", "mm", "addmm")
    use.stacked_on = x.product if is_dense else None
    if x.plain is DATA and (is_dense or name.startswith("conv")):
        use.data = x.value if x.value is not None and x.value.is_floating_point() else None
    if is_dense and x.plain is not None:
        plain, use.below = use, x.plain
        if x.plain is DATA and x.value is not None and x.value.is_floating_point():
            values = x.value.double().square()
            use.squares = values.mean(0 if is_left else -1).flatten().cpu()
    if name in ("linear", "addmm"):
        biases = [each for each in given if each is not weight and trace.node(each).is_parameter]
        use.bias = biases[0] if biases else None
    product = use if is_dense else None
    node = Node(use=use, product=product, is_direct=True, axis=use.axis, plain=plain)
    trace.set(result, node)

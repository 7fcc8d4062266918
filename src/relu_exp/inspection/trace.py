"""What a forward pass has shown so far: the node of each tensor, layers, uses of weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.utils.weak import WeakTensorKeyDictionary

from relu_exp.inspection.nodes import DATA, Layer, Node, Use
from relu_exp.inspection.sentences import Sentence, say

__all__ = ["Trace", "tensors_in"]


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


class Trace:
    """The nodes of a pass's tensors, and what was made of them.

    Attributes:
        layers: what was seen, in order.
        uses: every multiplication by weights.
        unseen: what was noticed and is not among the layers.
        open: the functions and modules named by the user that are running now, the innermost last,
            each with the node of what it received.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers: list[Layer] = []
        self.uses: list[Use] = []
        self.unseen: list[Sentence] = []
        self.open: list[tuple[object, Node | None]] = []
        self._nodes: Any = WeakTensorKeyDictionary()
        self._names = {id(parameter): name for name, parameter in model.named_parameters()}
        self._known = {id(buffer) for buffer in model.buffers()}

    @property
    def is_inside_own(self) -> bool:
        """Whether a function or module named by the user is running."""
        return bool(self.open)

    def feed(self, inputs: Iterable[Any]) -> None:
        """Take the tensors of a batch as data."""
        for tensor in tensors_in(inputs):
            self.set(tensor, Node(plain=DATA))

    def node(self, tensor: Tensor) -> Node:
        """Return what is known of a tensor."""
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

    def has_met(self, parameters: Iterable[Tensor]) -> bool:
        """Return whether a function received any of some parameters; True if there are none."""
        every = list(parameters)
        return not every or any(each in self._nodes for each in every)

    def set(self, result: Any, node: Node) -> None:
        """Note what a function returned, also several tensors."""
        for index, tensor in enumerate(tensors_in([result])):
            self._nodes[tensor] = self._kept(node if index == 0 else replace(node), tensor)

    def _kept(self, node: Node, tensor: Tensor) -> Node:
        node.value, node.version = tensor.detach(), tensor._version
        if tensor.grad_fn is not None:
            node.edge = get_gradient_edge(tensor)
        elif node.layer is not None:
            node.tensor = tensor
        return node

    def keep_value(self, tensor: Any) -> None:
        """Keep the numbers of a tensor that is about to be overwritten."""
        if isinstance(tensor, Tensor) and (node := self._nodes.get(tensor)) is not None:
            node.value = tensor.detach().clone()
            node.version = node.value._version

    def as_nodes(self, args: Any, first: Node | None = None) -> tuple[Any, ...]:
        """Return arguments with nodes in place of tensors; `first` in place of the first."""
        return tuple(
            first if first is not None and index == 0 else self.as_node(each)
            for index, each in enumerate(args)
        )

    def as_node(self, each: Any) -> Any:
        """Return a tensor's node, unless it is a parameter; another argument as it is."""
        if isinstance(each, Tensor):
            node = self.node(each)
            return each if node.is_parameter else node
        return each

    def miss(self, key: str, name: str, **values: object) -> None:
        """Say once what is not among the layers."""
        sentence = say(f"unseen_{key}", name=name, **values)
        if sentence not in self.unseen:
            self.unseen.append(sentence)

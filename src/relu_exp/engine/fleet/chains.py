"""A whole multilayer perceptron as one node of autograd, in buffers that every update uses anew.

`kernels.dense`, layer by layer, is the plain way and gives the same numbers to the last bit. What
is saved is not arithmetic but what surrounds it: a node and new memory for every layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from relu_exp.engine.ops.kernels import Elementwise
from relu_exp.engine.ops.layout import new_stack, stacked
from relu_exp.engine.ops.products import Multiplication
from relu_exp.engine.ops.samples import (
    Samples,
    shared_bias,
    shared_product,
    subtract_shared_gradient_,
)

__all__ = ["Chain"]


class Chain:
    """Dense layers, the last of them linear, whose way back takes a step of gradient descent."""

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], phi: Elementwise, x: Samples
    ) -> None:
        """Make the buffers.

        Args:
            weights: (runs, out, in) of every layer, stacks; the way back updates them
                and the biases.
            biases: (runs, out, 1) of every layer.
            phi: the activation of all but the last, with a fast rule.
            x: a batch of the shape that the chain is for.
        """
        linear = Elementwise("identity", ({},) * weights[0].shape[0])
        num_samples = x.labels.shape[1]
        rules = [*[phi] * (len(weights) - 1), linear]
        layers = [
            _Layer(W.detach(), b.detach(), rule, new_stack(W, W.shape[1], num_samples))
            for W, b, rule in zip(weights, biases, rules, strict=True)
        ]
        self.first = layers[0]
        # gradients by layers of equal shape take turns in one buffer
        buffers = {layer.a.shape: new_stack(layer.a, *layer.a.shape[1:]) for layer in layers}
        self.linked = [
            _Linked(layer, below.a, buffers[below.a.shape]) for below, layer in pairwise(layers)
        ]
        # what tells autograd that there is a way back
        self.anchor = biases[0]
        self.num_passes = 0

    def __call__(self, x: Samples) -> Tensor:
        """Return the outputs (runs, units, samples), in memory that the next call overwrites."""
        outputs: Tensor = _ThereAndBack.apply(self.anchor, self, x)
        return outputs

    def there(self, x: Samples) -> Tensor:
        """Return the outputs."""
        self.num_passes += 1
        first = self.first
        shared_product(first.W, x, out=first.a)
        a = first.activate(shared_bias(first.W, first.b, x))
        for layer in self.linked:
            a = layer.there()
        return a

    def back(self, grad: Tensor, x: Samples) -> None:
        """Subtract the gradients by weights and biases, given that by the outputs."""
        grad = stacked(grad)
        for layer in reversed(self.linked):
            grad = layer.back(grad)
        subtract_shared_gradient_(self.first.W, self.first.descend(grad), x)


class _ThereAndBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchor: Tensor, chain: Chain, x: Samples) -> Tensor:
        outputs = chain.there(x).detach()
        ctx.chain, ctx.x, ctx.turn = chain, x, chain.num_passes
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        if ctx.turn != ctx.chain.num_passes:
            raise RuntimeError("a later pass has overwritten the activations of this one")
        ctx.chain.back(grads[0], ctx.x)
        return None, None, None


class _Layer:
    """One layer's parameters, its activations, and what is done with them element by element."""

    def __init__(self, W: Tensor, b: Tensor, phi: Elementwise, a: Tensor) -> None:
        self.W, self.b, self.a, self.db = W, b, a, torch.empty_like(b)
        self.phi = phi

    def activate(self, b: Tensor) -> Tensor:
        """Make a = φ(a + b)."""
        self.a += b
        return self.phi.forward_(self.a)

    def descend(self, grad: Tensor) -> Tensor:
        """Make a the gradient by φ's argument, given that by a, and update b."""
        self.phi.backward(grad, self.a, self.a)
        self.b -= torch.sum(self.a, -1, keepdim=True, out=self.db)
        return self.a


class _Linked:
    """A layer upon another."""

    def __init__(self, layer: _Layer, h: Tensor, dh: Tensor) -> None:
        self.layer, W = layer, layer.W
        self.forward = Multiplication(layer.a, W, h)
        self.backward = Multiplication(dh, W.transpose(1, 2), layer.a)
        self.update = Multiplication(W, layer.a, h.transpose(1, 2), alpha=-1)

    def there(self) -> Tensor:
        self.forward()
        return self.layer.activate(self.layer.b)

    def back(self, grad: Tensor) -> Tensor:
        self.layer.descend(grad)
        dh = self.backward()
        self.update()
        return dh

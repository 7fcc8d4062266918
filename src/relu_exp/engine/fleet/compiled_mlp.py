"""The plain multilayer perceptrons of a fleet, computed run by run by the compiled kernels.

What a stack computes layer by layer, these compute run by run, which keeps a run's numbers in the
processor's nearest cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from relu_exp.engine.ops.compiled import library, pointer
from relu_exp.engine.ops.kernels import Elementwise
from relu_exp.engine.ops.layout import new_stack
from relu_exp.engine.ops.samples import Samples

__all__ = ["KINDS", "CompiledMlp", "can_compute"]

KINDS: Mapping[str, tuple[int, str]] = {
    "identity": (0, ""),
    "step": (1, ""),
    "sigmoid": (2, ""),
    "tanh": (3, ""),
    "relu": (4, ""),
    "leaky_relu": (5, "negative_slope"),
    "elu": (6, "alpha"),
}
"""Activation → its number in `c/elementwise.h`, and the setting that it needs."""


class _Layer(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("W", "b", "a")),
        *((name, ctypes.c_int64) for name in ("run_W", "run_b", "run_a")),
        *((name, ctypes.c_int) for name in ("out", "in_")),
    )


class _Gradients(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("W", "b")),
        *((name, ctypes.c_int64) for name in ("run_W", "run_b")),
    )


class _Batch(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "background", "labels", "group", "active")),
        ("group_x", ctypes.c_int64),
        *((name, ctypes.c_int) for name in ("samples", "features", "step", "by_sample")),
    )


class _Mlp(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("gemm", "layers", "settings", "scratch")),
        ("largest", ctypes.c_int64),
        *((name, ctypes.c_int) for name in ("num_layers", "num_runs", "activation")),
    )


def can_compute(W: Tensor, phi: Elementwise) -> bool:
    """Return whether there are kernels for the weights' device and type and for the activation."""
    is_plain = W.device.type == "cpu" and W.dtype == torch.float32
    return is_plain and phi.name in KINDS and library() is not None


class CompiledMlp:
    """Dense layers, the last of them linear, for batches of one size."""

    def __init__(
        self,
        weights: Sequence[Tensor],
        biases: Sequence[Tensor],
        phi: Elementwise,
        num_samples: int,
        activations: Sequence[Tensor] = (),
    ) -> None:
        """Note where everything lies; the tensors must stay where they are.

        Args:
            weights: stacks (runs, out, in), one per layer.
            biases: stacks (runs, out, 1), one per layer.
            phi: the activation of all layers but the last.
            num_samples: of a batch.
            activations: stacks (runs, out, samples), one per layer, that a pass overwrites. Without
                them, the networks can only be evaluated; stacks of one run are enough for
                `take_steps` and for probes.
        """
        found = library()
        assert found is not None
        self.functions = found.functions
        kind, setting = KINDS[phi.name]
        values = [float(each[setting]) if setting else 0.0 for each in phi.settings]
        settings = torch.tensor(values, dtype=torch.float32)
        largest = max(max(W.shape[1:]) for W in weights)
        self.first, self.num_outputs = weights[0].detach(), weights[-1].shape[1]
        self.num_samples = num_samples
        self.hidden_shapes = [(W.shape[1], W.shape[2]) for W in weights[:-1]]
        self.units = [units for units, _ in self.hidden_shapes]
        size = found.functions.mlp_scratch(ctypes.c_int64(largest), ctypes.c_int(num_samples))
        scratch = self.first.new_empty(size)
        self.outputs = activations[-1] if activations else None
        buffers: Sequence[Tensor | None] = activations or [None] * len(weights)
        layers = (_Layer * len(weights))(
            *(
                _Layer(
                    *(W.data_ptr(), b.data_ptr(), None if a is None else a.data_ptr()),
                    *(W.stride(0), b.stride(0), 0 if a is None else a.stride(0)),
                    *W.shape[1:],
                )
                for W, b, a in zip(weights, biases, buffers, strict=True)
            )
        )
        addresses = (ctypes.addressof(layers), settings.data_ptr(), scratch.data_ptr())
        self.mlp = _Mlp(found.gemm, *addresses, largest, len(weights), len(self.first), kind)
        self._kept: Any = (*map(tuple, (weights, biases, activations)), settings, scratch, layers)

    def call(self, function: str, x: Samples, *arguments: Any) -> None:
        """Call a compiled function with these networks, a batch and further arguments."""
        assert x.inputs.shape[2] == self.num_samples
        located = _Located(x)
        getattr(self.functions, function)(
            ctypes.byref(self.mlp), ctypes.byref(located.batch), *arguments
        )

    def forward(self, x: Samples) -> Tensor:
        """Return the outputs (runs, units, samples), in memory that the next call overwrites."""
        assert self.outputs is not None
        self.call("mlp_forward", x)
        return self.outputs

    def backward(self, grad: Tensor, x: Samples) -> None:
        """Subtract the gradients by all weights and biases, given the gradient by the outputs.

        Once after each forward pass, whose activations it overwrites.

        Args:
            grad: a stack (runs, units, samples).
            x: the batch of the last forward pass.
        """
        self.call("mlp_backward", x, pointer(grad), ctypes.c_int64(grad.stride(0)))

    def gradients(self, grad: Tensor, x: Samples) -> list[Tensor]:
        """Return the gradients by all weights, then by all biases, given that by the outputs.

        They lie in memory that the next call overwrites. Once after each forward pass, whose
        activations it overwrites.

        Args:
            grad: a stack (runs, units, samples).
            x: the batch of the last forward pass.
        """
        dW, db = self._gradients
        layers = (_Gradients * len(dW))(
            *(
                _Gradients(W.data_ptr(), b.data_ptr(), W.stride(0), b.stride(0))
                for W, b in zip(dW, db, strict=True)
            )
        )
        self.call("mlp_gradients", x, pointer(grad), ctypes.c_int64(grad.stride(0)), layers)
        return [*dW, *db]

    @cached_property
    def _gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        weights, biases, *_ = self._kept
        dW, db = (
            [new_stack(each, *each.shape[1:]) for each in these] for these in (weights, biases)
        )
        return dW, db

    def losses(self, x: Samples, learning_rates: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the mean cross-entropy of x; `backward` with the gradient then takes the step.

        Args:
            x: a batch whose labels are classes.
            learning_rates: (runs,); ones for `gradients` of the losses themselves.

        Returns:
            Losses and accuracies (2, runs); the gradient of learning rate × loss by the outputs, a
            stack (runs, units, samples).
        """
        assert self.outputs is not None
        assert len(self.outputs) == len(self.first)
        numbers, rates = learning_rates.new_empty(2, len(self.first)), learning_rates.contiguous()
        gradient = new_stack(self.first, self.num_outputs, x.inputs.shape[2])
        run_gradient = ctypes.c_int64(gradient.stride(0))
        self.call(
            "mlp_losses", x, pointer(rates), pointer(gradient), run_gradient, pointer(numbers)
        )
        return numbers, gradient

    def take_steps(self, batches: Sequence[Samples], learning_rates: Tensor) -> Tensor:
        """Take steps of gradient descent on the mean cross-entropy of a batch each.

        A run takes all of them before the next run begins.

        Args:
            batches: one for each step, of equal shape, whose labels are classes.
            learning_rates: (steps, runs).

        Returns:
            Losses and accuracies from before each step: (steps, 2, runs).
        """
        assert self.outputs is not None
        assert all(x.inputs.shape[2] == self.num_samples for x in batches)
        steps, runs = learning_rates.shape
        numbers, rates = learning_rates.new_empty(steps, 2, runs), learning_rates.contiguous()
        located = [_Located(x) for x in batches]
        self.functions.mlp_steps(
            ctypes.byref(self.mlp),
            (_Batch * steps)(*(each.batch for each in located)),
            ctypes.c_int(steps),
            pointer(rates),
            pointer(numbers),
        )
        return numbers

    def evaluate(self, x: Samples) -> tuple[Tensor, list[Tensor]]:
        """Return the outputs, and for each hidden layer which units have φ′ = 0 on all samples.

        φ′ is taken from φ: of ELU it may be 0 where it vanishes.

        Returns:
            Outputs (runs, units, samples); a mask (runs, units) per hidden layer.
        """
        runs = len(self.first)
        outputs = new_stack(self.first, self.num_outputs, x.inputs.shape[2])
        is_flat = torch.empty(runs, sum(self.units), dtype=torch.bool)
        run_outputs = ctypes.c_int64(outputs.stride(0))
        self.call("mlp_evaluate", x, pointer(outputs), run_outputs, pointer(is_flat))
        return outputs, list(torch.split(is_flat, self.units, dim=1))


class _Located:
    """Where a batch lies, as long as this object keeps it there."""

    def __init__(self, x: Samples) -> None:
        inputs = x.placed_inputs
        num_groups, features, samples = inputs.shape
        by_sample = features > 1 and samples > 1 and inputs.stride(1) == 1
        of_run = [group for group, size in enumerate(x.sizes) for _ in range(size)]
        group = (ctypes.c_int * len(of_run))(*of_run)
        active = (ctypes.c_int * num_groups)(*(x.num_active_features or [features] * num_groups))
        background = None if x.background is None else x.background.contiguous()
        labels = x.labels.contiguous()
        self.batch = _Batch(
            inputs.data_ptr(),
            None if background is None else background.data_ptr(),
            labels.data_ptr(),
            ctypes.addressof(group),
            ctypes.addressof(active),
            inputs.stride(0),
            samples,
            features,
            inputs.stride(2) if by_sample else max(samples, inputs.stride(1)),
            by_sample,
        )
        self._kept: Any = (inputs, group, active, background, labels)

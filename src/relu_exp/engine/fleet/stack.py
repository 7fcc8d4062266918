"""A fleet's parameters stacked along a leading run axis, and its forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.schema import RunConfig
from relu_exp.engine.activations import ACTIVATIONS, gain
from relu_exp.engine.data.datasets import load, shape_of
from relu_exp.engine.fleet.compiled_mlp import CompiledMlp, can_compute
from relu_exp.engine.fleet.fused_mlp import FusedMlp
from relu_exp.engine.initializers import INITIALIZERS, Fan, draw_weights, uniform_from_normal
from relu_exp.engine.networks import NETWORKS, Layer, Network, layers_of, learned_sizes
from relu_exp.engine.ops.kernels import Elementwise, conv2d, dense, linear
from relu_exp.engine.ops.layout import kept, new_stack, stacked
from relu_exp.engine.ops.normalization import Normalization, Statistics, started
from relu_exp.engine.ops.precision import rounds
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.outputs import OUTPUTS, Output
from relu_exp.engine.streams import stream

__all__ = ["Noise", "Stack", "Tape", "build", "training_noise"]

Noise = Callable[[int, torch.Size], Tensor]
"""Uniform numbers for a hidden layer: (layer, shape of its pre-activations) → that shape."""


def training_noise(seeds: Sequence[int], step: int, device: str) -> Noise:
    """Return the random numbers of a training step; all runs of a seed get the same ones.

    Args:
        seeds: the seed of every run.
        step: the training step.
        device: where the numbers are needed.
    """

    def draw(layer: int, shape: torch.Size) -> Tensor:
        each = {
            seed: torch.rand(shape[1:], generator=stream(seed, "noise", step, layer))
            for seed in dict.fromkeys(seeds)
        }
        return torch.stack([each[seed] for seed in seeds]).to(device)

    return draw


@dataclass
class Tape:
    """The pre-activations and activations of every hidden layer of one pass, in order.

    Each is (runs, units, samples); a convolution's unit is a channel, its samples all positions of
    all samples.
    """

    preactivations: list[Tensor] = field(default_factory=list)
    activations: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Stack:
    """The networks of a fleet: one tensor per layer holds the weights of every run.

    `weights` are (runs, out, in, ...), `biases` (runs, out, 1); `slopes` are the learned
    parameters of the activation, (runs, 1 or units, 1): none, one in all, or one per layer.
    `normalization` is of the hidden layers, None where nothing is normalized.
    """

    network: Network
    settings: Mapping[str, Any]
    layers: tuple[Layer, ...]
    output: Output
    phi: Elementwise
    weights: list[Tensor]
    biases: list[Tensor]
    slopes: list[Tensor]
    image_shape: tuple[int, int, int] | None = None
    normalization: Normalization | None = None

    def __post_init__(self) -> None:
        """Mark all parameters as requiring gradients."""
        for parameter in self.parameters():
            parameter.requires_grad_()

    @property
    def num_runs(self) -> int:
        """Runs in the fleet."""
        return len(self.phi.settings)

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """The layers that an activation follows."""
        return self.layers[:-1]

    def parameters(self) -> list[Tensor]:
        """Return every tensor that is trained: weights, biases, then those that never decay."""
        norm = self.normalization
        scales = [*norm.gains, *norm.shifts] if norm else []
        return [*self.weights, *self.biases, *self.slopes, *scales]

    @property
    def num_decaying(self) -> int:
        """How many of the parameters, from the first on, a weight decay shrinks."""
        return len(self.weights) + len(self.biases)

    def buffers(self) -> list[Tensor]:
        """Return every tensor that training changes beside the parameters."""
        norm = self.normalization
        return [*norm.means, *norm.variances] if norm else []

    @property
    def is_random(self) -> bool:
        """Whether a step of training draws random numbers."""
        return ACTIVATIONS[self.phi.name].is_random or bool(self.settings.get("dropout"))

    @property
    def is_sequence(self) -> bool:
        """Whether the network is nothing but dense layers, one after the other."""
        return self.network.is_plain(self.settings)

    @property
    def is_dense(self) -> bool:
        """Whether every hidden layer calls `on_activation`, because all layers are dense."""
        return all(len(layer.shape) == 2 for layer in self.layers)

    def forward(
        self,
        x: Samples,
        noise: Noise | None = None,
        tape: Tape | None = None,
        on_activation: Callable[[Tensor], None] | None = None,
        fused_update: bool = False,
        statistics: Statistics = "running",
    ) -> Tensor:
        """Return the outputs (runs, units, samples); with `noise`, random as in training.

        With a tape, every hidden layer uses the plain formula, so that autograd gives its
        gradients. `on_activation` is called with the activations of each dense hidden layer, which
        still uses the fast rules. With `fused_update`, the backward pass must start from learning
        rate × loss and updates the dense layers (see `optimizers`). `statistics` says which a batch
        normalization takes: those of x, in `training` to remember them, or the running ones.
        """
        if not (torch.is_grad_enabled() or tape or on_activation) and (kernel := self.evaluator(x)):
            return kernel.evaluate(x)[0]
        passing = _Pass(self, noise, tape, on_activation, fused_update, statistics)
        return self.network.forward(passing, x, self.settings)

    @cached_property
    def _fused_mlps(self) -> dict[tuple[int, ...], FusedMlp]:
        return {}

    def fused_mlp(self, x: Samples) -> FusedMlp:
        """Return all layers as one autograd node, with buffers for batches of the shape of x."""
        shape = (x.labels.shape[1], *x.sizes)
        if shape not in self._fused_mlps:
            self._fused_mlps[shape] = FusedMlp(self.weights, self.biases, self.phi, x)
        return self._fused_mlps[shape]

    @cached_property
    def _compiled_mlps(self) -> dict[int, CompiledMlp]:
        return {}

    def evaluator(self, x: Samples) -> CompiledMlp | None:
        """Return the compiled kernel that evaluates batches of the size of x, if there is one."""
        if not self.is_sequence or rounds() or not can_compute(self.weights[0], self.phi):
            return None
        size = x.inputs.shape[2]
        if size not in self._compiled_mlps:
            self._compiled_mlps[size] = CompiledMlp(self.weights, self.biases, self.phi, size)
        return self._compiled_mlps[size]

    def stepper(self, x: Samples) -> CompiledMlp:
        """Return the compiled kernel for steps on minibatches of the shape of x.

        It is there if `is_differentiated_by_kernel`.
        """
        kernel = self.fused_mlp(x).compiled
        assert kernel is not None
        return kernel

    def prober(self, x: Samples) -> CompiledMlp | None:
        """Return the compiled kernel that probes batches of the size of x, if there is one.

        Its activations are its own: those of a step may be waiting for their backward pass.
        """
        if not self.is_differentiated_by_kernel:
            return None
        size = x.inputs.shape[2]
        if size not in self._probers:
            own = [new_stack(W[:1].detach(), W.shape[1], size) for W in self.weights]
            self._probers[size] = CompiledMlp(self.weights, self.biases, self.phi, size, own)
        return self._probers[size]

    @cached_property
    def _probers(self) -> dict[int, CompiledMlp]:
        return {}

    @property
    def is_differentiated_by_kernel(self) -> bool:
        """Whether the compiled kernel differentiates the cross-entropy of these networks."""
        if not self.is_sequence or self.output is not OUTPUTS["logits"] or rounds():
            return False
        return can_compute(self.weights[0], self.phi)

    def slope_of(self, layer: int) -> Mapping[str, Tensor]:
        """Return the learned keyword of a hidden layer's activation, or nothing."""
        entry = ACTIVATIONS[self.phi.name]
        if entry.trained is None:
            return {}
        return {entry.trained[0]: self.slopes[layer if len(self.slopes) > 1 else 0]}

    def keep(self, runs: Sequence[int]) -> Stack:
        """Return the stack of some of the runs."""
        index = torch.tensor(list(runs), dtype=torch.int64).to(self.weights[0].device)
        return replace(
            self,
            phi=self.phi.keep(runs),
            weights=[kept(W, index) for W in self.weights],
            biases=[kept(b, index) for b in self.biases],
            slopes=[kept(slope, index) for slope in self.slopes],
            normalization=self.normalization.keep(index) if self.normalization else None,
        )


class _Pass:
    """One forward pass; implements `networks.Pass`."""

    def __init__(
        self,
        stack: Stack,
        noise: Noise | None,
        tape: Tape | None,
        on_activation: Callable[[Tensor], None] | None,
        fused_update: bool,
        statistics: Statistics,
    ) -> None:
        self.stack, self.noise, self.tape, self.on_activation = stack, noise, tape, on_activation
        self.fused_update, self.statistics = fused_update, statistics
        self.num_layers, self.image_shape = len(stack.layers), stack.image_shape

    def images(self, x: Samples) -> Tensor:
        assert self.image_shape is not None
        pixels = x.run_inputs().transpose(1, 2)
        return pixels.reshape(*pixels.shape[:2], *self.image_shape)

    def dense(self, layer: int, h: Tensor | Samples, skip: Tensor | None = None) -> Tensor:
        W, b, phi = self.stack.weights[layer], self.stack.biases[layer], self.stack.phi
        if self.tape is None and phi.is_fast:
            a = dense(h, W, b, phi, skip, self.fused_update)
            if self.on_activation is not None:
                self.on_activation(a)
            return a
        z = linear(h, W, b, self.fused_update)
        return self._activate(layer, z if skip is None else z + skip)

    def normalized(self, layer: int, h: Tensor | Samples) -> Tensor:
        norm = self.stack.normalization
        assert norm is not None
        z = linear(h, self.stack.weights[layer], self._bias(layer), self.fused_update)
        a = self._activate(layer, norm(layer, z, self.statistics))
        if self.on_activation is not None:
            self.on_activation(a)
        return a

    def dropout(self, layer: int, h: Tensor, share: float) -> Tensor:
        if self.noise is None or not share:
            return h
        # layers' own numbers are for activations that use them
        stays = self.noise(self.num_layers + layer, h.shape) >= share
        return h * stays / (1 - share)

    def conv(
        self, layer: int, h: Tensor, padding: int = 0, stride: int = 1, skip: Tensor | None = None
    ) -> Tensor:
        W, b, norm = self.stack.weights[layer], self._bias(layer), self.stack.normalization
        z = conv2d(h, W, b, padding, stride)
        if norm is None and skip is None and self._takes_any_order:
            return self.stack.phi.plain(z)
        z = z.transpose(1, 2)
        runs, channels, *places = z.shape
        z = z.reshape(runs, channels, -1)
        if norm is not None:
            z = norm(layer, z, self.statistics)
        if skip is not None:
            z = z + skip.transpose(1, 2).reshape(z.shape)
        a = self._activate(layer, z)
        return a.reshape(runs, channels, *places).transpose(1, 2)

    def sequence(self, x: Samples) -> Tensor:
        stack = self.stack
        if self.fused_update and stack.phi.is_fast and not rounds():
            return stack.fused_mlp(x)(x)
        h: Tensor | Samples = x
        for layer in range(self.num_layers - 1):
            h = self.dense(layer, h)
        return self.linear(self.num_layers - 1, h)

    def linear(self, layer: int, h: Tensor | Samples) -> Tensor:
        return linear(h, self.stack.weights[layer], self.stack.biases[layer], self.fused_update)

    @property
    def _takes_any_order(self) -> bool:
        """Whether an activation needs nothing but its pre-activation, and no tape wants either."""
        entry = ACTIVATIONS[self.stack.phi.name]
        return self.tape is None and entry.trained is None and not entry.is_random

    def _bias(self, layer: int) -> Tensor:
        """Return the bias of a hidden layer that may be normalized.

        Under a batch normalization β takes its place: the bias's own gradient would be rounding,
        which Adam makes steps of.
        """
        norm, b = self.stack.normalization, self.stack.biases[layer]
        return b * 0 if norm is not None and norm.kind == "batch" else b

    def _activate(self, layer: int, z: Tensor) -> Tensor:
        learned = dict(self.stack.slope_of(layer))
        if self.noise is not None and ACTIVATIONS[self.stack.phi.name].is_random:
            learned["noise"] = self.noise(layer, z.shape)
        a = self.stack.phi.plain(z, **learned)
        if self.tape is not None:
            self.tape.preactivations.append(z)
            self.tape.activations.append(a)
        return a


def build(runs: Sequence[RunConfig], device: str = "cpu") -> Stack:
    """Return the stack of a fleet at its initialization.

    The standard-normal draws of a layer depend only on the seed and the layer's shape: arms of one
    seed share them, whatever their initializer. The first layer's weights are in the order of the
    features in `Batches`.

    Args:
        runs: configurations of equal shape, those of one seed consecutive.
        device: where the parameters are stored.

    Raises:
        UsageError: the network does not fit the data set.
    """
    first = runs[0]
    entry, network = ACTIVATIONS[first.activation.name], NETWORKS[first.network.name]
    layers = tuple(layer for layer in layers_of(first) if layer.is_used)
    sorted_data = load(first.dataset).sorted_by_sparsity if network.permutes_inputs else None
    weights, biases = [], []
    for index, layer in enumerate(layers):
        W, b = _draw_all(runs, index, layer, index < len(layers) - 1, device)
        if index == 0 and sorted_data:
            W = W[:, :, sorted_data.order.to(device)]
        weights.append(stacked(W))
        biases.append(stacked(b))
    settings = [run.activation.as_dict() for run in runs]
    return Stack(
        network=network,
        settings=first.network.as_dict(),
        layers=layers,
        output=OUTPUTS[first.network["output"]],
        phi=Elementwise(
            first.activation.name, tuple({} if entry.trained else each for each in settings)
        ),
        weights=weights,
        biases=biases,
        slopes=[stacked(slope.to(device)) for slope in _slopes(runs)],
        image_shape=shape_of(first.dataset).image_shape,
        normalization=_normalization(runs, layers[:-1], device),
    )


def _normalization(
    runs: Sequence[RunConfig], hidden: Sequence[Layer], device: str
) -> Normalization | None:
    """Return the normalization of the hidden layers before training, if they are normalized."""
    kind = NETWORKS[runs[0].network.name].normalization(runs[0].network.as_dict())
    if kind is None:
        return None
    return started(kind, [layer.shape[0] for layer in hidden], len(runs), device)


def _draw_all(
    runs: Sequence[RunConfig], index: int, layer: Layer, is_hidden: bool, device: str
) -> tuple[Tensor, Tensor]:
    """Return the initial weights (runs, out, in, ...) and biases (runs, out, 1) of a layer.

    Runs that differ in their learning rate alone start from the same numbers, which are drawn once.
    """
    starts = [(run.initializer, run.activation, run.seed) for run in runs]
    drawn = {
        start: _draw(run, index, layer, is_hidden)
        for start, run in dict(zip(starts, runs, strict=True)).items()
    }
    place = {start: number for number, start in enumerate(drawn)}
    of_run = torch.tensor([place[start] for start in starts]).to(device)
    W, b = (torch.stack(each).to(device) for each in zip(*drawn.values(), strict=True))
    return W[of_run], b[of_run]


def _draw(run: RunConfig, index: int, layer: Layer, is_hidden: bool) -> tuple[Tensor, Tensor]:
    """Return the initial weights (out, in, ...) and biases (out, 1) of one run's layer."""
    fan = Fan(layer.fan_in, layer.fan_out, gain(run.activation) if is_hidden else 1.0)
    z = torch.randn(layer.shape, generator=stream(run.seed, "weights", index))
    bias, initializer = torch.zeros(layer.shape[0], 1), INITIALIZERS[run.initializer.name]
    if initializer.draws_biases or (initializer.offsets_biases and is_hidden):
        bias_z = torch.randn(layer.shape[0], 1, generator=stream(run.seed, "biases", index))
        if initializer.draws_biases:
            bias = uniform_from_normal(bias_z) / layer.fan_in**0.5
        else:
            bias = run.initializer["offset"] * torch.sign(bias_z)
    return draw_weights(run.initializer, z, fan), bias


def _slopes(runs: Sequence[RunConfig]) -> list[Tensor]:
    """Return the learned parameters of the activation, if it has any: (runs, 1 or units, 1)."""
    entry = ACTIVATIONS[runs[0].activation.name]
    if entry.trained is None:
        return []
    first = torch.tensor([float(run.activation[entry.trained[1]]) for run in runs])
    return [first.reshape(-1, 1, 1).repeat(1, size, 1) for size in learned_sizes(runs[0])]

"""What is looked at on a fleet's way: losses on whole splits, layers on a probe, dead units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from relu_exp.core.schema import DEFAULT_PRECISION, SPLITS, RunConfig
from relu_exp.engine.activations import largest_derivative
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import Stack
from relu_exp.engine.ops import precision
from relu_exp.engine.ops.kernels import never_moves
from relu_exp.engine.probes import measurements, theory
from relu_exp.engine.probes.measurements import Probe
from relu_exp.engine.probes.records import Records

__all__ = ["Observer"]

_SATURATED = 0.05
"""Share of its largest derivative under which an activation counts as saturated."""


class Observer:
    """Observes a fleet where its schedule says so, and writes down what it sees.

    `runs` are always those that still train, in the order of the stack.
    """

    def __init__(self, run: RunConfig, batches: Batches, records: Records, device: str) -> None:
        """Prepare to observe a fleet.

        Args:
            run: any run of the fleet.
            batches: the fleet's samples.
            records: where what is seen is written.
            device: where the fleet trains.
        """
        self.batches, self.records, self.device = batches, records, device
        self.evaluation_steps, self.probe_steps = set(run.evaluation_steps), set(run.probe_steps)
        self.steps = self.evaluation_steps | self.probe_steps

    def predict(self, runs: Sequence[RunConfig], stack: Stack) -> None:
        """Write down what theory says of every run, and the activation functions themselves."""
        fans = [(layer.fan_in, layer.fan_out) for layer in stack.hidden]
        for run in runs:
            squares = self.batches.probe([run.seed]).inputs[0].double().square().mean(0)
            self.records.predictions(run.run_id, theory.predict(run, fans, squares.cpu()))
        for choice in dict.fromkeys(run.activation for run in runs):
            self.records.function(choice)

    def observe(self, step: int, stack: Stack, runs: Sequence[RunConfig]) -> None:
        """Evaluate and probe the networks as they are before the update of a step."""
        if not runs:
            return
        is_probed = step in self.probe_steps and bool(stack.hidden)
        resting = None
        if step in self.evaluation_steps:
            resting = self._evaluate(step, stack, runs, hears=is_probed)
        if is_probed:
            probes = self._probe(step, stack, runs)
            if resting is not None:
                self._search_dead_units(step, stack, runs, probes, resting)

    def weights(self, step: int, stack: Stack) -> list[Tensor]:
        """Return copies of the hidden layers' weights before an update that is to be measured."""
        if step not in self.probe_steps:
            return []
        return [W.detach().clone() for W in stack.weights[: len(stack.hidden)]]

    def compare(
        self, step: int, stack: Stack, runs: Sequence[RunConfig], before: Sequence[Tensor]
    ) -> None:
        """Write down the size of the update that was just made, relative to the weights."""
        if not before:
            return
        ratios = [
            measurements.norm(after.detach() - W) / measurements.norm(W)
            for W, after in zip(before, stack.weights, strict=False)
        ]
        self.records.layers(_ids(runs), step, {"update_ratio": torch.stack(ratios, dim=1)})

    def _evaluate(
        self, step: int, stack: Stack, runs: Sequence[RunConfig], hears: bool
    ) -> list[Tensor]:
        """Write down loss and accuracy on every split.

        Returns:
            Of each layer, if `hears`, which units (runs, units) never move on the part of the
            training set that was evaluated.
        """
        seeds = [run.seed for run in runs]
        resting: list[Tensor] = []
        for split in SPLITS[1:]:
            loss = torch.zeros(len(runs), device=self.device)
            correct, samples = torch.zeros_like(loss), 0
            for x in self.batches.evaluation(seeds, split):
                with torch.no_grad():
                    if hears and split == "train":
                        outputs, quiet = measurements.resting(stack, x)
                        resting = [a & b for a, b in zip(resting or quiet, quiet, strict=True)]
                    else:
                        outputs = stack.forward(x)
                    labels = x.run_labels()
                    loss += stack.output.loss(outputs, labels).sum(1)
                    correct += stack.output.correct(outputs, labels).sum(1)
                samples += labels.shape[1]
            self.records.curve(_ids(runs), step, split, loss / samples, correct / samples)
        return resting

    def _probe(self, step: int, stack: Stack, runs: Sequence[RunConfig]) -> list[Probe]:
        seeds = [run.seed for run in runs]
        largest = [_SATURATED * largest_derivative(run.activation) for run in runs]
        saturated_below = torch.tensor(largest, device=self.device)
        probes = measurements.take_probe(stack, self.batches.probe(seeds), saturated_below)
        # what is rounded are the network's products, not those of a measurement
        with precision.in_use(DEFAULT_PRECISION, self.device):
            self.records.layers(_ids(runs), step, measurements.measure(probes))
        for layer, probe in enumerate(probes, start=1):
            for kind, tensor in (("preactivation", probe.z), ("activation", probe.a)):
                counts = measurements.histogram(tensor, kind)
                self.records.histograms(_ids(runs), step, layer, kind, counts)
        return probes

    def _search_dead_units(
        self,
        step: int,
        stack: Stack,
        runs: Sequence[RunConfig],
        probes: Sequence[Probe],
        resting: Sequence[Tensor],
    ) -> None:
        """Ask the rest of the training set which units are dead of those that may be."""
        may_be = [
            never_moves(probe.derivative) & quiet
            for probe, quiet in zip(probes, resting, strict=True)
        ]
        seeds = [run.seed for run in runs]
        dead = measurements.dead_units(
            stack,
            may_be,
            lambda places, index: self.batches.unevaluated([seeds[at] for at in places], index),
        )
        fractions = torch.stack([layer.float().mean(1) for layer in dead], dim=1)
        self.records.layers(_ids(runs), step, {"dead_fraction": fractions})
        for layer, mask in enumerate(dead, start=1):
            self.records.dead(_ids(runs), step, layer, mask)


def _ids(runs: Sequence[RunConfig]) -> list[str]:
    return [run.run_id for run in runs]

"""Scheduled observations of a fleet: losses on whole splits, probes of layers, dead units."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from relu_exp.core.schema import SPLITS, RunConfig
from relu_exp.engine.activations import largest_derivative
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import Stack
from relu_exp.engine.probes import measurements, theory
from relu_exp.engine.probes.explained import ExplainedVariance
from relu_exp.engine.probes.layer_statistics import layer_statistics
from relu_exp.engine.probes.records import Records

__all__ = ["SATURATED", "Observer"]

SATURATED = 0.05
"""An activation counts as saturated if |φ′| is at most this share of its largest value."""


class Observer:
    """Observes a fleet at the steps of its schedule and records the results.

    `runs` are always those that are still training, in the order of the stack.
    """

    def __init__(self, run: RunConfig, batches: Batches, records: Records, device: str) -> None:
        """Prepare to observe a fleet.

        Args:
            run: any run of the fleet.
            batches: the fleet's samples.
            records: the tables that results are added to.
            device: where the fleet trains.
        """
        self.batches, self.records, self.device = batches, records, device
        self.evaluation_steps, self.probe_steps = set(run.evaluation_steps), set(run.probe_steps)
        self.steps = self.evaluation_steps | self.probe_steps

    def predict(self, runs: Sequence[RunConfig], stack: Stack) -> None:
        """Record the theory's predictions for every run and the curves of the activations."""
        fans = [(layer.fan_in, layer.fan_out) for layer in stack.hidden]
        for run in runs:
            squares = self.batches.probe([run.seed]).inputs[0].double().square().mean(0)
            self.records.predictions(run.run_id, theory.predict(run, fans, squares.cpu()))
        for choice in dict.fromkeys(run.activation for run in runs):
            self.records.function(choice)

    def observe(self, step: int, stack: Stack, runs: Sequence[RunConfig]) -> None:
        """Evaluate and probe the networks before the update of a step, if that is scheduled."""
        if not runs:
            return
        is_probed = step in self.probe_steps and bool(stack.hidden)
        candidates = None
        if step in self.evaluation_steps:
            candidates = self._evaluate(step, stack, runs, finds_candidates=is_probed)
        if is_probed:
            zero_gradient = self._probe(step, stack, runs)
            if candidates is not None:
                both = [one & other for one, other in zip(zero_gradient, candidates, strict=True)]
                self._search_dead_units(step, stack, runs, both)

    def weights(self, step: int, stack: Stack) -> list[Tensor]:
        """Return copies of the hidden layers' weights if the next update is to be measured."""
        if step not in self.probe_steps:
            return []
        return [W.detach().clone() for W in stack.weights[: len(stack.hidden)]]

    def compare(
        self, step: int, stack: Stack, runs: Sequence[RunConfig], before: Sequence[Tensor]
    ) -> None:
        """Record the size of the last update relative to the weights."""
        if not before:
            return
        ratios = [
            measurements.update_ratio(W, after.detach())
            for W, after in zip(before, stack.weights, strict=False)
        ]
        self.records.layers(_ids(runs), step, {"update_ratio": torch.stack(ratios, dim=1)})

    def _evaluate(
        self, step: int, stack: Stack, runs: Sequence[RunConfig], finds_candidates: bool
    ) -> list[Tensor]:
        """Record loss and accuracy, or R², on every split.

        Returns:
            With `finds_candidates`, the units of each layer (runs, units) that may be dead: they
            have zero gradient on the evaluated part of the training set.
        """
        seeds = [run.seed for run in runs]
        candidates: list[Tensor] = []
        for split in SPLITS[1:]:
            loss = torch.zeros(len(runs), device=self.device)
            correct, samples = torch.zeros_like(loss), 0
            explained = ExplainedVariance() if stack.output.is_regression else None
            for x in self.batches.evaluation(seeds, split):
                with torch.no_grad():
                    if finds_candidates and split == "train":
                        outputs, found = measurements.find_zero_gradient_units(stack, x)
                        pairs = zip(candidates or found, found, strict=True)
                        candidates = [before & now for before, now in pairs]
                    else:
                        outputs = stack.forward(x)
                    labels = x.run_labels()
                    loss += stack.output.loss(outputs, labels).sum(1)
                    if explained is not None:
                        explained.add(outputs, labels)
                    elif stack.output.correct is not None:
                        correct += stack.output.correct(outputs, labels).sum(1)
                samples += labels.shape[1]
            if explained is None:
                self.records.curve(_ids(runs), step, split, loss / samples, correct / samples)
            else:
                none = torch.full_like(loss, torch.nan)
                self.records.curve(
                    _ids(runs), step, split, loss / samples, none, explained.share(samples)
                )
        return candidates

    def _probe(self, step: int, stack: Stack, runs: Sequence[RunConfig]) -> list[Tensor]:
        """Record what a probe says; return which units have zero gradient on all its samples.

        Returns:
            (runs, units) for each layer.
        """
        choices = [run.activation for run in runs]
        largest = {choice: largest_derivative(choice) for choice in dict.fromkeys(choices)}
        limits = [SATURATED * largest[choice] for choice in choices]
        saturated_below = torch.tensor(limits, device=self.device)
        x = self.batches.probe([run.seed for run in runs])
        found = layer_statistics(stack, x, saturated_below)
        self.records.layers(_ids(runs), step, found.values)
        self.records.layers(_ids(runs), step, measurements.learned_parameters(stack))
        for layer, histograms in enumerate(found.histograms, start=1):
            for kind, (counts, extent) in histograms.items():
                self.records.histograms(_ids(runs), step, layer, kind, counts, extent)
        return found.zero_gradient

    def _search_dead_units(
        self, step: int, stack: Stack, runs: Sequence[RunConfig], candidates: Sequence[Tensor]
    ) -> None:
        """Record which candidates have zero gradient on the rest of the training set too."""
        seeds = [run.seed for run in runs]
        dead = measurements.dead_units(
            stack,
            candidates,
            lambda runs, index: self.batches.unevaluated([seeds[run] for run in runs], index),
        )
        fractions = torch.stack([layer.float().mean(1) for layer in dead], dim=1)
        self.records.layers(_ids(runs), step, {"dead_fraction": fractions})
        for layer, mask in enumerate(dead, start=1):
            self.records.dead(_ids(runs), step, layer, mask)


def _ids(runs: Sequence[RunConfig]) -> list[str]:
    return [run.run_id for run in runs]

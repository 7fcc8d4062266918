"""`relu_exp.inspect`: a network and a batch become a report; remedies are measured on copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from relu_exp.core.schema import UsageError
from relu_exp.inspection import copies, updating
from relu_exp.inspection.batches import Batch, Loss, default_loss, first_batch
from relu_exp.inspection.diagnosis import MOST, every_finding, in_order
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.objective import KINDS
from relu_exp.inspection.passing import Pass, take_pass
from relu_exp.inspection.report import Table
from relu_exp.inspection.scaling import CONSEQUENCES, check_inputs, scaled
from relu_exp.inspection.sentences import Sentence, say
from relu_exp.inspection.untouched import unwrapped

__all__ = ["Report", "inspect"]

_LOST = 0.5
"""Share of gradients or updates that half precision may lose."""
_RECTIFIERS = frozenset({"relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "swish", "mish"})


def inspect(
    model: nn.Module,
    data: Any,
    *,
    loss: Loss | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    activations: Sequence[Any] = (),
) -> Report:
    """Measure what the layers of a network do on one batch, and why it does not learn.

    The network stays as it is: its mode, in which it is measured, its buffers, gradients and every
    random state.

    Args:
        model: any network, on any device, also compiled or in half precision.
        data: `(x, y)`, a dictionary of keywords, or a DataLoader, whose first batch is taken.
        loss: function of outputs and target to one number; cross-entropy or squared error, or the
            outputs' own `loss`, if not given.
        optimizer: measures also the next update, on a copy of both.
        activations: your own nonlinearities, as functions, modules or classes of modules.

    Raises:
        UsageError: the batch or the loss does not fit the network, or it has no weights yet.
    """
    inner = unwrapped(model)
    if any(isinstance(each, UninitializedParameter) for each in inner.parameters()):
        raise UsageError(
            "the network has lazy modules without weights: call it once on a batch before"
        )
    batch = first_batch(data, inner)
    return Report(inner, batch, loss or default_loss, optimizer, tuple(activations))


class Report(Table):
    """What was measured: `findings`, `layers`, `unseen`, `loss`; printed, it is a table.

    Attributes:
        loss: the mean loss on the batch.
        mode: `training` or `evaluation`: the mode of the network.
    """

    def __init__(
        self,
        model: nn.Module,
        batch: Batch,
        loss: Loss,
        optimizer: torch.optim.Optimizer | None = None,
        activations: tuple[Any, ...] = (),
    ) -> None:
        self._model, self._batch, self._loss = model, batch, loss
        self._activations = activations
        found = take_pass(model, batch, loss, activations)
        self._lost: dict[str, float] = {}
        self._left_out: list[str] = []
        self._lost_in_float32: dict[str, float] = {}
        self._too_large: Finding | None = None
        self._found_scaled = self._with_scaled_inputs(found)
        self._unscaled = self._of_inputs(found)
        if optimizer is not None:
            self._update(found, optimizer)
        self._found = found
        for each in filter(None, (found, self._found_scaled)):
            each.gradients = {}
        super().__init__(found, type(model).__name__)

    def _with_scaled_inputs(self, found: Pass) -> Pass | None:
        """Return the same pass with scaled inputs; None if they are, or cannot be."""
        if not any(each.is_unscaled for each in found.inputs):
            return None
        try:
            return take_pass(self._model, scaled(self._batch), self._loss, self._activations)
        except UsageError:
            return None

    def _of_inputs(self, found: Pass) -> Finding | None:
        again = self._found_scaled
        if again is None or found.loss is None or again.loss is None:
            return None
        losses = found.loss, again.loss
        return check_inputs(found.inputs, found.layers, again.layers, losses)

    def _update(self, found: Pass, optimizer: torch.optim.Optimizer) -> None:
        held = copies.ids_of(optimizer)
        trained = {n: p for n, p in self._model.named_parameters() if p.requires_grad}
        self._left_out = [name for name, each in trained.items() if id(each) not in held]
        if len(self._left_out) == len(trained):
            raise UsageError(copies.OF_ANOTHER_NETWORK)
        ratios, self._lost = copies.updated_once(self._model, optimizer, found.gradients)
        for layer in found.layers:
            name = layer.name.partition(" #")[0]
            ratio = ratios.get(f"{name}.weight", ratios.get(name))
            if ratio is not None:
                layer.values["update_ratio"] = ratio
        if updating.may_be_too_large(self._model, ratios):
            asked = (self._model, optimizer, self._loss)
            self._too_large = updating.too_large(*asked, found, self._batch)
            if self._too_large is not None and self._found_scaled and self._unscaled:
                self._too_large = updating.too_large(
                    *asked, self._found_scaled, scaled(self._batch)
                )
        if max(self._lost.values(), default=0) > _LOST:
            again, its_optimizer = copies.copied((self._model, optimizer))
            grads = {name: grad.float() for name, grad in found.gradients.items()}
            again.float()
            _, self._lost_in_float32 = copies.updated_once(again, its_optimizer, grads)

    @cached_property
    def findings(self) -> list[Finding]:
        """At most three reasons why it does not learn, the gravest first; none if it is healthy.

        Remedies are measured on copies when findings are first asked for.
        """
        found = every_finding(self._found)
        if not (found and found[0].kind == "not_finite"):
            found = [*self._without_consequences(found), *self._of_precision()]
            found += filter(None, (self._unscaled, self._too_large))
            if self._left_out:
                names = tuple(dict.fromkeys(n.rpartition(".")[0] or n for n in self._left_out))
                found.append(
                    Finding("left_out", len(self._left_out), names, helps=say("left_out_helps"))
                )
        return [self._with_remedy(each) for each in in_order(found)[:MOST]]

    def _without_consequences(self, found: list[Finding]) -> list[Finding]:
        """Return the findings that would also be there with scaled inputs."""
        if self._unscaled is None or self._found_scaled is None:
            return found
        stay = {each.kind for each in every_finding(self._found_scaled)}
        return [each for each in found if each.kind not in CONSEQUENCES or each.kind in stay]

    def try_(self, initializer: str, seed: int = 0, **settings: object) -> Report:
        """Return the report of a copy whose weights are drawn anew; the network is not touched.

        Args:
            initializer: a name as in `relu-exp list initializers`, also with its settings, as in
                `xavier_normal(gain=4)`.
            seed: of the draws.
            settings: of the initializer.

        Raises:
            UsageError: there is no such initializer, or the network cannot be copied.
        """
        choice = copies.choice_of(initializer, settings)
        again = copies.restarted(self._model, self._batch, choice, self._activations, seed)
        return Report(again, self._batch, self._loss, None, self._activations)

    def to_results(self, folder: str | Path) -> Path:
        """Add this inspection to an ordinary result folder, and return the folder.

        `relu_exp.open`, `relu-exp report` and `relu-exp export` read it. It is one run without an
        update, with the tables `layers`, `histograms` and `predictions`; the network's code and its
        data are not in it, so that it cannot be trained again.

        Raises:
            UsageError: the folder cannot be written, or holds results of an experiment.
        """
        from relu_exp.inspection.to_results import write_results

        return write_results(folder, self, self._model, self._batch)

    def _of_precision(self) -> list[Finding]:
        """Return what half precision, or an update below the last digit, loses."""
        found = []
        lost = {name: share for name, share in self._lost.items() if share > _LOST}
        if lost:
            worst = max(lost, key=lambda name: lost[name])
            after = self._lost_in_float32.get(worst, math.nan)
            names = tuple(name.removesuffix(".weight") for name in lost)
            finding = Finding("updates_lost", lost[worst], names)
            helps = "updates_lost_raise" if after > lost[worst] / 2 else "updates_lost_remedy"
            found.append(replace(finding, helps=say(helps, after=after)))
        half = [each for each in self._found.weights if each.is_half and each.zero_share > _LOST]
        if half:
            again, batch = copies.in_float32(self._model, self._batch)
            precise = {
                each.name: each.zero_share
                for each in take_pass(again, batch, self._loss, self._activations).weights
            }
            under = [each for each in half if precise.get(each.name, 1) < each.zero_share / 2]
            if under:
                worst_of = max(under, key=lambda each: each.zero_share)
                finding = Finding(
                    "gradient_underflows",
                    worst_of.zero_share,
                    tuple(dict.fromkeys(each.name for each in under)),
                )
                words = say("gradient_underflows_remedy", after=precise[worst_of.name])
                found.append(replace(finding, helps=words))
        return found

    def _with_remedy(self, finding: Finding) -> Finding:
        if finding.helps.key:
            return finding
        try:
            words = self._thawed(finding) if finding.kind == "frozen" else self._mended(finding)
        except (UsageError, RuntimeError):
            return finding  # a network that cannot be copied or started again
        return replace(finding, helps=words)

    def _thawed(self, finding: Finding) -> Sentence:
        """Return what the gradient of frozen weights would be."""
        again = copies.copied(self._model).requires_grad_(True)
        found = take_pass(again, self._batch, self._loss, self._activations)
        names = {f"{name}.weight" for name in finding.layers} | set(finding.layers)
        norms = [float(g.float().norm()) for n, g in found.gradients.items() if n in names]
        return say("frozen_remedy", after=max(norms, default=0.0))

    def _mended(self, finding: Finding) -> Sentence:
        """Try initializers on copies; return the first that leaves nothing to find."""
        tried = self._candidates()
        for name in tried:
            again = self.try_(name)
            kinds = {each.kind for each in every_finding(again._found)}
            if kinds - {"frozen", *KINDS}:
                continue
            if finding.kind == "identical":
                return say("helps_identical", name=name)
            key = "helps_share" if finding.kind in ("dead", "saturated") else "helps"
            return say(key, name=name, after=again.number_of(finding.kind))
        return say("helps_not", tried=", ".join(tried))

    def _candidates(self) -> list[str]:
        """Return initializers that suit the network's nonlinearities, the usual one first."""
        layers = self._found.layers
        small = f"he_normal(gain={math.sqrt(2 / max(len(layers), 1)):.3g})"
        functions = {layer.function for layer in layers}
        if "sigmoid" in functions and not functions & _RECTIFIERS:
            return ["xavier_normal", "xavier_normal(gain=4)", "xavier_normal(gain=6)"]
        if functions & _RECTIFIERS or not functions & {"tanh"}:
            return ["he_normal", "orthogonal(gain=activation)", small]
        return ["xavier_normal", "orthogonal", "xavier_normal(gain=1.2)"]

"""`relu_exp.watch`: measures the layers of a network while its own loop trains it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from relu_exp.core.schema import UsageError
from relu_exp.engine.probes.measurements import update_ratio
from relu_exp.inspection.copies import OF_ANOTHER_NETWORK, ids_of
from relu_exp.inspection.diagnosis import MOST, every_finding, in_order
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.measuring import Measured, measure_layer, predict
from relu_exp.inspection.nodes import Layer
from relu_exp.inspection.passing import Pass, weights_of
from relu_exp.inspection.report import ROW, Table
from relu_exp.inspection.scaling import CONSEQUENCES, arriving_at, found_unscaled
from relu_exp.inspection.seeing import Seeing
from relu_exp.inspection.sentences import TABLE_WORDS
from relu_exp.inspection.untouched import eager, unwrapped
from relu_exp.inspection.updating import change_of, found_in

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Watch", "watch"]


def watch(
    model: nn.Module,
    optimizer: Any,
    every: int = 100,
    *,
    activations: tuple[Any, ...] = (),
    tensorboard: Any = None,
) -> Watch:
    """Measure the layers at every n-th update of a training loop, within a `with` block.

    The first forward pass of a measured update that has gradients is seen, with the gradients that
    its backward pass gives; nothing is computed twice. At other updates it only counts. The loss is
    not seen. An error in a measurement ends the watching, not the training: see `notes`.

    Args:
        model: the network, as the loop calls it.
        optimizer: whose updates are counted, also one that a library has wrapped.
        every: updates from one measurement to the next; the first is measured.
        activations: your own nonlinearities, as in `inspect`.
        tensorboard: a folder, or a SummaryWriter.

    Raises:
        UsageError: `every` is below 1, or the optimizer is none, or has none of the network's
            parameters.
    """
    if not isinstance(every, int) or every < 1:
        raise UsageError(f"watch(every={every}) is not valid: it must be a number from 1 on")
    while not isinstance(optimizer, torch.optim.Optimizer):
        inner = getattr(optimizer, "optimizer", None)
        if inner is None:
            raise UsageError(f"watch needs an optimizer, not a {type(optimizer).__name__}")
        optimizer = inner
    held = ids_of(optimizer)
    if not any(id(each) in held for each in model.parameters()):
        raise UsageError(OF_ANOTHER_NETWORK)
    return Watch(model, optimizer, every, activations, tensorboard)


class Watch:
    """What was measured during a training.

    Attributes:
        tables: step → the table of the layers; the step counts the updates before it.
        notes: what went wrong with measuring; empty if all went well.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        every: int,
        activations: tuple[Any, ...],
        tensorboard: Any,
    ) -> None:
        self.tables: dict[int, Watched] = {}
        self.notes: list[str] = []
        self.step = 0
        self._model, self._optimizer, self._every = model, optimizer, every
        self._activations, self._board = activations, _writer(tensorboard)
        self._closes_board = self._board is not tensorboard
        self._hooks: list[Any] = []
        self._forward_hooks: list[Any] = []
        self._hooks_of_pass: list[Any] = []
        self._open: ExitStack | None = None
        self._seeing: Seeing | None = None
        self._grads: dict[int, Tensor] = {}
        self._before: list[tuple[str, Tensor, Tensor]] = []
        self._names: dict[str, str] = {}

    def __enter__(self) -> Watch:
        self._hooks = [
            self._optimizer.register_step_pre_hook(self._before_update),
            self._optimizer.register_step_post_hook(self._after_update),
        ]
        self._attach()
        return self

    def __exit__(self, *error: Any) -> None:
        self._close_pass()
        self._detach()
        for hook in self._hooks:
            hook.remove()
        self._forget()
        if self._board is not None and self._closes_board:
            self._board.close()

    # The hooks of a measured update ---------------------------------------------------------

    def _attach(self) -> None:
        self._forward_hooks = [
            self._model.register_forward_pre_hook(self._before_pass, with_kwargs=True),
            self._model.register_forward_hook(self._after_pass, always_call=True),
        ]

    def _detach(self) -> None:
        for hook in self._forward_hooks:
            hook.remove()
        self._forward_hooks = []

    def _forget(self) -> None:
        self._seeing, self._grads, self._before = None, {}, []
        self._release()

    def _release(self) -> None:
        for hook in self._hooks_of_pass:
            hook.remove()
        self._hooks_of_pass = []

    def _failed(self, error: Exception) -> None:
        self.notes.append(f"step {self.step}: {type(error).__name__}: {error}")
        self._forget()
        self._detach()

    def _before_pass(self, model: nn.Module, args: Any, kwargs: Any) -> None:
        if self._seeing is not None or self._open is not None or not torch.is_grad_enabled():
            return
        opened = ExitStack()
        try:
            opened.enter_context(eager())
            seeing = Seeing(unwrapped(model), self._activations)
            seeing.feed([args, kwargs])
            opened.enter_context(seeing)
        except Exception as error:
            opened.close()
            self._failed(error)
            return
        self._open, self._seeing = opened, seeing

    def _close_pass(self) -> bool:
        if self._open is None:
            return False
        opened, self._open = self._open, None
        opened.close()
        return True

    def _after_pass(self, model: nn.Module, args: Any, result: Any) -> None:
        if not self._close_pass() or self._seeing is None:
            return
        try:
            self._seeing.finish()
            for layer in self._seeing.layers:
                self._catch(layer)
        except Exception as error:
            self._failed(error)

    def _catch(self, layer: Layer) -> None:
        """Keep the gradient by a layer's activations when the loop's backward pass computes it."""
        edge = layer.above.edge
        if edge is None:
            return

        def keep(grads: tuple[Tensor | None, ...]) -> None:
            grad = grads[edge.output_nr]
            if grad is not None and id(layer) not in self._grads:
                self._grads[id(layer)] = grad.detach().clone()

        self._hooks_of_pass.append(edge.node.register_prehook(keep))

    def _before_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._seeing is None or self._open is not None:
            return
        try:
            with torch.no_grad():
                self._measure(self._seeing)
        except Exception as error:
            self._failed(error)

    def _measure(self, seeing: Seeing) -> None:
        grads = {id(use): use.weight.grad for use in seeing.uses if use.weight.is_leaf}
        layers = [
            measure_layer(layer, self._grads.get(id(layer)), grads.get(id(layer.use)))
            for layer in seeing.layers
        ]
        self.tables[self.step] = Watched(
            Pass(
                loss=None,
                layers=layers,
                weights=[weights_of(use, grads.get(id(use))) for use in seeing.uses],
                unseen=seeing.unseen,
                mode="training" if self._model.training else "evaluation",
                predictions=predict(seeing.layers, seeing.uses) if self.step == 0 else {},
                inputs=arriving_at(seeing.uses),
            ),
            type(seeing.model).__name__,
        )
        weights = {use.name: use.weight for use in seeing.uses if use.name and use.weight.is_leaf}
        self._before = [(name, each, each.detach().clone()) for name, each in weights.items()]
        self._names = {
            layer.name: layer.use.name for layer in seeing.layers if layer.use is not None
        }
        self._seeing, self._grads = None, {}
        self._release()

    def _after_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        try:
            if self._before:
                self._compare()
        except Exception as error:
            self._failed(error)
        self.step += 1
        if self.step % self._every == 0:
            self._forget()
            if not self._forward_hooks:
                self._attach()
        elif self._forward_hooks:
            self._detach()

    def _compare(self) -> None:
        table = self.tables[self.step]
        ratios, changes = {}, {}
        for name, weight, before in self._before:
            ratio = update_ratio(before.float()[None], weight.detach().float()[None])
            ratios[name] = float(ratio[0])
            if (change := change_of(before, weight)) is not None:
                changes[name] = change
        for layer in table.layers:
            if (name := self._names.get(layer.name, "")) in ratios:
                layer.values["update_ratio"] = ratios[name]
        table.too_large = found_in(changes, self._optimizer)
        self._before = []
        if self._board is not None:
            for layer in table.layers:
                for quantity, value in layer.values.items():
                    if not math.isnan(value):
                        self._board.add_scalar(f"{quantity}/{layer.name}", value, self.step)

    # What was seen --------------------------------------------------------------------------

    @property
    def last(self) -> Watched:
        """The last table.

        Raises:
            UsageError: nothing was measured.
        """
        if not self.tables:
            raise UsageError(
                f"nothing was measured ({'; '.join(self.notes) or 'no update was made'})"
            )
        return self.tables[max(self.tables)]

    @property
    def findings(self) -> list[Finding]:
        """The findings of the last table, without tried remedies; empty before the first."""
        return self.last.findings if self.tables else []

    @property
    def first_seen(self) -> dict[str, tuple[int, Finding]]:
        """Kind → the first measured step that shows it, and what was found there."""
        found: dict[str, tuple[int, Finding]] = {}
        for step, table in self.tables.items():
            for each in table.findings:
                found.setdefault(each.kind, (step, each))
        return found

    @property
    def layers(self) -> list[Measured]:
        """The layers of the last table."""
        return self.last.layers

    def rows(self) -> list[dict[str, object]]:
        """Return a row per step, layer and quantity, as `Table.rows` with `step` in front."""
        return [
            {"step": step, **row} for step, table in self.tables.items() for row in table.rows()
        ]

    def frame(self) -> pd.DataFrame:
        """Return `rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=["step", *ROW])

    def __str__(self) -> str:
        """Return the last table as text, and what earlier ones showed first."""
        if not self.tables:
            return TABLE_WORDS("nothing_yet")
        shown = TABLE_WORDS("step", step=max(self.tables), table=self.last)
        return "\n".join([shown, *self._earlier()])

    def _repr_html_(self) -> str:
        if not self.tables:
            return TABLE_WORDS("nothing_yet")
        lines = "".join(f"<p>{escape(line)}</p>" for line in self._earlier())
        return f"<div>{self.last._repr_html_()}{lines}</div>"

    def _earlier(self) -> list[str]:
        last = max(self.tables)
        return [
            TABLE_WORDS("first_seen", step=step, finding=str(each))
            for step, each in self.first_seen.values()
            if step < last
        ]


class Watched(Table):
    """A table that was measured in a training."""

    def __init__(self, found: Pass, name: str) -> None:
        super().__init__(found, name)
        self._found = found
        self.too_large: Finding | None = None

    @cached_property
    def findings(self) -> list[Finding]:
        """Reasons why the network does not learn, without remedies that would have to be tried."""
        found = every_finding(self._found)
        if not (found and found[0].kind == "not_finite"):
            unscaled = found_unscaled(self._found.inputs, self._found.layers)
            if unscaled is not None:
                found = [each for each in found if each.kind not in CONSEQUENCES]
            found += filter(None, (unscaled, self.too_large))
        return in_order(found)[:MOST]


def _writer(tensorboard: Any) -> Any:
    """Return what writes for TensorBoard, or None."""
    if tensorboard is None or hasattr(tensorboard, "add_scalar"):
        return tensorboard
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "watch(tensorboard=...) needs the package tensorboard: pip install tensorboard"
        ) from error
    try:
        return SummaryWriter(str(Path(tensorboard)))
    except OSError as error:
        raise UsageError(
            f"watch(tensorboard={str(tensorboard)!r}) cannot be written: {error.strerror or error}"
        ) from error

"""The one training loop, over a leading run axis."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.schema import SPLITS, RunConfig
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.checkpoints import NO_STATE, Keeper, continue_from
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.replay import RECORDERS, Replay
from relu_exp.engine.fleet.stack import Noise, build
from relu_exp.engine.networks import layers_of, parameter_count
from relu_exp.engine.ops import precision
from relu_exp.engine.optimizers import OPTIMIZERS
from relu_exp.engine.probes.observing import Observer
from relu_exp.engine.probes.records import Records
from relu_exp.engine.streams import stream

__all__ = ["train_fleet"]

# Values per run and evaluated chunk: bounds memory, and makes a run's numbers independent of the
# size of its fleet.
_CHUNK_VALUES = 400_000
_NUM_BATCH_RECORDS = 200

_LOOK_EVERY = {"cpu": 1, "cuda": 32}
"""Steps between two looks at the losses: to look is to wait until the device has done all it was
given, which on the CPU it always has."""


def train_fleet(
    runs: Sequence[RunConfig],
    device: str = "cpu",
    on_step: Callable[[int], None] | None = None,
    keeper: Keeper | None = None,
) -> dict[str, dict[str, list[Any]]]:
    """Train runs of equal shape together and return every table as columns.

    Args:
        runs: configurations that differ only in initializer, learning rate, seed and the numeric
            settings of their activation; those of one seed consecutive.
        device: `cpu` or `cuda`.
        on_step: called with the number of updates done, whenever their losses have been looked at:
            on the CPU after each.
        keeper: writes checkpoints; what it has written of these runs before is continued.

    Returns:
        Table → column → values, as in `schema.TABLES`; of `runs` all but `fleet_id` and `session`.

    Raises:
        UsageError: a network, an output or a data set do not fit each other, or the device cannot
            compute in the runs' precision.
    """
    with precision.in_use(runs[0].precision, device):
        return _voyage(runs, device, keeper).sail(on_step, keeper)


def _voyage(runs: Sequence[RunConfig], device: str, keeper: Keeper | None) -> _Voyage:
    """Return a fleet at its start, or where its last checkpoint was written."""
    state = keeper.load(runs, device) if keeper else None
    if keeper and state:
        voyage = _Voyage(runs, device)
        try:
            continue_from(voyage, state)
        except NO_STATE:
            keeper.drop()
        else:
            return voyage
    return _Voyage(runs, device)


class _Voyage:
    """One fleet on its way: what still trains, and what has been recorded.

    A step is `_losses` and `_update`. Steps at which something is observed are taken one by one,
    those between as many as go before the next look (`_LOOK_EVERY`); until then their losses are
    `unread`. `_look` reads them: runs whose loss is not finite leave, those of the others go into
    `window`, and the mean of each full window into the records.
    """

    def __init__(self, runs: Sequence[RunConfig], device: str) -> None:
        self.started = time.perf_counter()
        self.all_runs, self.device, self.step = list(runs), device, 0
        self.run = runs[0]
        self.stack = build(runs, device)
        values = sum(layer.shape[0] * layer.positions for layer in self.stack.layers)
        # whole vectors of elements, see `kernels`
        chunk = min(1024, max(8, _CHUNK_VALUES // values // 64 * 64))
        self.batches = Batches(self.run, device, chunk)
        rates = torch.tensor([run.learning_rate for run in runs], device=device)
        entry = OPTIMIZERS[self.run.optimizer.name]
        settings = self.run.optimizer.as_dict()
        if self.run.gradient_clip:
            settings["gradient_clip"] = self.run.gradient_clip
        self.optimizer = entry.make(rates, **settings)
        self.alive = list(range(len(runs)))
        self.diverged_at: dict[int, int] = {}
        self.records = Records()
        self.observer = Observer(self.run, self.batches, self.records, device)
        self.unread: list[tuple[int, Tensor]] = []
        self.replay = self._new_replay()
        self.window: list[tuple[Tensor, Tensor]] = []
        self.window_size = max(1, -(-self.run.num_steps // _NUM_BATCH_RECORDS))

    @property
    def runs(self) -> list[RunConfig]:
        """The runs that still train, in the order of the stack."""
        return [self.all_runs[index] for index in self.alive]

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def sail(
        self, on_step: Callable[[int], None] | None, keeper: Keeper | None
    ) -> dict[str, dict[str, list[Any]]]:
        """Train from the step it is at to the last and return the tables."""
        if self.step == 0:
            self.observer.predict(self.all_runs, self.stack)
        while self.step < self.run.num_steps:
            if self.step in self.observer.steps:
                self._take_observed_step()
            else:
                self._take_steps()
            if not self.alive:
                break
            if keeper:
                keeper.offer(self)
            if on_step:
                on_step(self.step)
        self._finish()
        return self._tables()

    def _take_observed_step(self) -> None:
        """Take one step; between its losses and its update the networks are observed."""
        step = self.step
        loss, numbers = self._losses(self._places(step), self._noise(step))
        self.unread.append((step, numbers))
        have_left = self._look()
        if not self.alive:
            return
        if have_left:  # the others go back through tensors of their own
            loss, _ = self._losses(self._places(step), self._noise(step))
        self.observer.observe(step, self.stack, self.runs)
        before = self.observer.weights(step, self.stack)
        self._update(loss)
        self.observer.compare(step, self.stack, self.runs, before)
        self.step = step + 1

    def _take_steps(self) -> None:
        """Take the steps until the next look at their losses; nothing between waits for one."""
        steps = self._until_next_look()
        for step, places in zip(steps, self.batches.places(self.seeds, steps), strict=True):
            if self.replay:
                numbers = self.replay.take(self._take_step, places)
            else:
                numbers = self._take_step(places, self._noise(step))
            self.unread.append((step, numbers))
        self.step = steps.stop
        self._look()

    def _until_next_look(self) -> range:
        """Return the steps from this one to the next that is observed, or until it is time."""
        end = min(self.step + _LOOK_EVERY[self.device], self.run.num_steps)
        later = range(self.step + 1, end)
        return range(self.step, next((step for step in later if step in self.observer.steps), end))

    def _take_step(self, places: Tensor, noise: Noise | None = None) -> Tensor:
        """Take one step; return the losses and shares correct before its update: (2, runs)."""
        loss, numbers = self._losses(places, noise)
        self._update(loss)
        return numbers

    def _losses(self, places: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Return the losses on a minibatch, to go back from and as they will be looked at.

        Args:
            places: the samples of every seed in the training set (seeds, samples).
            noise: random numbers for activations that want some.

        Returns:
            The losses (runs,), and beside them as plain numbers the shares correct (2, runs).
        """
        x = self.batches.at(self.seeds, places)
        outputs = self.stack.forward(x, noise=noise, descends=self.optimizer.descends)
        labels = x.run_labels()
        loss = self.stack.output.loss(outputs, labels).mean(1)
        correct = self.stack.output.correct(outputs.detach(), labels).float().mean(1)
        return loss, torch.stack([loss.detach(), correct])

    def _update(self, loss: Tensor) -> None:
        """Go back from the losses and update the parameters.

        Where the optimizer `descends`, dense layers update theirs on the way (see `kernels.dense`).
        """
        self.optimizer.step(loss, self.stack.parameters(), self._num_decaying)

    def _look(self) -> bool:
        """Look at the losses since the last look; return whether runs have left the fleet.

        A run leaves at the step at which its loss first was not finite: what it did after is
        recorded nowhere.
        """
        steps = [step for step, _ in self.unread]
        numbers = torch.stack([each for _, each in self.unread]).cpu()  # (steps, 2, runs)
        self.unread = []
        num_alive = len(self.alive)
        for index, step in enumerate(steps):
            is_finite = torch.isfinite(numbers[index, 0])
            if self._drop(~is_finite, step):
                numbers = numbers[:, :, is_finite]
            loss, correct = numbers[index]
            self._record_batch(step, loss, correct)
        return len(self.alive) < num_alive

    def _finish(self) -> None:
        """Observe the trained networks; those that the last update broke have diverged too."""
        end = self.run.num_steps
        if self.alive and end:
            with torch.no_grad():
                loss, _ = self._losses(self._places(end - 1), noise=None)
            self._drop(~torch.isfinite(loss).cpu(), end)
        self.observer.observe(end, self.stack, self.runs)

    def _places(self, step: int) -> Tensor:
        """Return the samples of one step's minibatch in the training set: (seeds, samples)."""
        return self.batches.places(self.seeds, range(step, step + 1))[0]

    @property
    def _num_decaying(self) -> int:
        """Weights and biases decay, the learned slopes of an activation do not (He et al. 2015)."""
        return len(self.stack.parameters()) - len(self.stack.slopes)

    def _noise(self, step: int) -> Noise:
        """Return uniform numbers in training, the same for all runs of a seed."""

        def draw(layer: int, shape: torch.Size) -> Tensor:
            each = {
                seed: torch.rand(shape[1:], generator=stream(seed, "noise", step, layer))
                for seed in dict.fromkeys(self.seeds)
            }
            return torch.stack([each[seed] for seed in self.seeds]).to(self.device)

        return draw

    def _drop(self, lost: Tensor, step: int) -> bool:
        """Take the runs that have diverged out of the fleet; return whether there were any.

        `lost` is on the host: (runs,).
        """
        if not bool(lost.any()):
            return False
        for place in torch.nonzero(lost)[:, 0].tolist():
            self.diverged_at[self.alive[place]] = step
        self.retain(torch.nonzero(~lost)[:, 0].tolist())
        return True

    def retain(self, kept: Sequence[int]) -> None:
        """Take all runs but these out of the fleet, by their places in it."""
        places = torch.tensor(kept, dtype=torch.int64)
        self.alive = [self.alive[place] for place in kept]
        self.window = [(loss[places], correct[places]) for loss, correct in self.window]
        index = places.to(self.device)
        if self.alive:
            self.stack = self.stack.keep(kept)
            self.optimizer.keep(index)
            self.replay = self._new_replay()

    def _new_replay(self) -> Replay | None:
        """Return what replays the steps of this very fleet; None if they draw or must be taken."""
        recorder = RECORDERS.get(self.device)
        draws = ACTIVATIONS[self.run.activation.name].is_random
        return None if recorder is None or draws else Replay(recorder())

    def _record_batch(self, step: int, loss: Tensor, correct: Tensor) -> None:
        """Record the mean over each window of minibatches, at its middle."""
        self.window.append((loss, correct))
        if len(self.window) == self.window_size or step == self.run.num_steps - 1:
            losses, corrects = (
                torch.stack(each).mean(0) for each in zip(*self.window, strict=True)
            )
            middle = step - (len(self.window) - 1) // 2
            self.records.curve([run.run_id for run in self.runs], middle, "batch", losses, corrects)
            self.window = []

    def _tables(self) -> dict[str, dict[str, list[Any]]]:
        seconds = (time.perf_counter() - self.started) / len(self.all_runs)
        num_parameters = parameter_count(layers_of(self.run))
        unknown = dict.fromkeys(
            f"final_{split}_{metric}" for split in SPLITS[1:] for metric in ("loss", "accuracy")
        )
        found = self.records.last_evaluations()
        rows = []
        for index, run in enumerate(self.all_runs):
            diverged_at = self.diverged_at.get(index)
            final = found.get(run.run_id, {}) if diverged_at is None else {}
            rows.append(
                {
                    **run.as_row(),
                    "status": "done" if diverged_at is None else "diverged",
                    "diverged_at": diverged_at,
                    "error": None,
                    **unknown,
                    **final,
                    "num_parameters": num_parameters,
                    "seconds": seconds,
                    "device": self.device,
                }
            )
        tables = self.records.tables
        tables["runs"] = {column: [row[column] for row in rows] for column in rows[0]}
        return tables

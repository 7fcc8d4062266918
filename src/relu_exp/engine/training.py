"""The training loop: all runs of a fleet take each step of gradient descent together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.schema import RunConfig
from relu_exp.engine.checkpoints import UNUSABLE_STATE, Checkpointer, continue_from
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.replay import RECORDERS, Replay
from relu_exp.engine.fleet.stack import Noise, build, training_noise
from relu_exp.engine.ops import precision
from relu_exp.engine.optimizers import OPTIMIZERS, gradients_of, take_fused_step
from relu_exp.engine.probes.observing import Observer
from relu_exp.engine.probes.records import Records
from relu_exp.engine.rates import set_rates

__all__ = ["READ_LOSSES_EVERY", "train_fleet"]

# Values per run and evaluated chunk: bounds memory, and makes a run's numbers independent of the
# size of its fleet.
_CHUNK_VALUES = 400_000
_NUM_BATCH_RECORDS = 200

READ_LOSSES_EVERY = {"cpu": 8, "cuda": 32}
"""Steps between two reads of the losses. A read waits until a GPU has finished all its work; on the
CPU, a compiled kernel takes all steps up to the next read for one run, then for the next. The
tables do not depend on it: a run leaves at the step at which its loss was first not finite, and
nothing is recorded of its later steps."""

_MOST_INPUTS = 4_000_000
"""Numbers in the minibatches of the steps that a compiled kernel takes at once: bounds memory."""


def train_fleet(
    runs: Sequence[RunConfig],
    device: str = "cpu",
    on_step: Callable[[int], None] | None = None,
    checkpointer: Checkpointer | None = None,
) -> dict[str, dict[str, list[Any]]]:
    """Train runs of equal shape together and return every table as columns.

    Args:
        runs: configurations that differ only in initializer, learning rate, seed and the numeric
            settings of their activation; those of one seed are consecutive.
        device: `cpu` or `cuda`.
        on_step: called with the number of completed updates whenever their losses have been read,
            which is every few of them.
        checkpointer: writes checkpoints; training continues from the one it finds for these runs.

    Returns:
        Table → column → values, as in `schema.TABLES`; `runs` lacks `fleet_id`, `session` and
        `made_from`.

    Raises:
        UsageError: the network, its output and the data set do not fit each other, or the device
            cannot compute in the runs' precision.
    """
    with precision.in_use(runs[0].precision, device):
        return _fleet_trainer(runs, device, checkpointer).train(on_step, checkpointer)


def _fleet_trainer(
    runs: Sequence[RunConfig], device: str, checkpointer: Checkpointer | None
) -> _FleetTrainer:
    """Return a new fleet, or one that continues from its last checkpoint."""
    state = checkpointer.load(runs, device) if checkpointer else None
    if checkpointer and state:
        trainer = _FleetTrainer(runs, device)
        try:
            continue_from(trainer, state)
        except UNUSABLE_STATE:
            checkpointer.delete()
        else:
            return trainer
    return _FleetTrainer(runs, device)


class _FleetTrainer:
    """A fleet in training: its networks, its optimizer and what has been recorded.

    `_take_step` is one step of gradient descent: its losses, then its update. At the steps of the
    schedule, `_take_observed_step` also evaluates and probes the networks between the two. The
    other steps are taken in a row, by the compiled kernel where there is one, until their losses,
    which are `unread` until then, are read (`READ_LOSSES_EVERY`). On reading, runs whose loss is
    not finite leave the fleet, the losses of the others go into `window`, and the mean of each full
    window is recorded.
    """

    def __init__(self, runs: Sequence[RunConfig], device: str) -> None:
        self.started = time.perf_counter()
        self.all_runs, self.device, self.step = list(runs), device, 0
        self.run = runs[0]
        self.stack = build(runs, device)
        values = sum(layer.shape[0] * layer.positions for layer in self.stack.layers)
        # a multiple of what a vectorized loop takes at once, see `layout`
        chunk = min(1024, max(8, _CHUNK_VALUES // values // 64 * 64))
        self.batches = Batches(self.run, device, chunk)
        self.alive = list(range(len(runs)))
        self.rates = self._configured_rates()
        entry = OPTIMIZERS[self.run.optimizer.name]
        settings = self.run.optimizer.as_dict()
        if self.run.gradient_clip:
            settings["gradient_clip"] = self.run.gradient_clip
        self.optimizer = entry.make(self.rates.clone(), **settings)
        self.diverged_at: dict[int, int] = {}
        self.records = Records()
        self.observer = Observer(self.run, self.batches, self.records, device)
        self.unread: list[tuple[int, Tensor]] = []
        self.replay = self._new_replay()
        self.window: list[tuple[Tensor, Tensor]] = []
        self.window_size = max(1, -(-self.run.num_steps // _NUM_BATCH_RECORDS))

    @property
    def runs(self) -> list[RunConfig]:
        """The runs that are still training, in the order of the stack."""
        return [self.all_runs[index] for index in self.alive]

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def train(
        self, on_step: Callable[[int], None] | None, checkpointer: Checkpointer | None
    ) -> dict[str, dict[str, list[Any]]]:
        """Train from the current step to the last one and return the tables."""
        if self.step == 0:
            self.observer.predict(self.all_runs, self.stack)
        while self.step < self.run.num_steps:
            if self.step in self.observer.steps:
                self._take_observed_step()
            else:
                self._take_steps()
            if not self.alive:
                break
            if checkpointer:
                checkpointer.maybe_save(self)
            if on_step:
                on_step(self.step)
        self._observe_trained_networks()
        seconds = (time.perf_counter() - self.started) / len(self.all_runs)
        return self.records.finish(self.all_runs, self.diverged_at, seconds, self.device)

    # One step of gradient descent -----------------------------------------------------------

    def _take_step(self, indices: Tensor, noise: Noise | None = None) -> Tensor:
        """Take one step; return the losses and accuracies from before its update: (2, runs)."""
        numbers, finish = self._begin_step(indices, noise)
        finish()
        return numbers

    def _begin_step(
        self, indices: Tensor, noise: Noise | None
    ) -> tuple[Tensor, Callable[[], None]]:
        """Compute the losses of a step, by the compiled kernel or by autograd.

        Returns:
            Losses and accuracies (2, runs), and a function that then takes the step.
        """
        if not self.stack.is_differentiated_by_kernel:
            loss, numbers = self._losses(indices, noise)
            return numbers, lambda: self._update(loss)
        x, optimizer = self.batches.at(self.seeds, indices), self.optimizer
        kernel = self.stack.stepper(x)
        if optimizer.fused_update:
            numbers, grad = kernel.losses(x, optimizer.learning_rates)
            return numbers, lambda: kernel.backward(grad, x)
        numbers, grad = kernel.losses(x, torch.ones_like(optimizer.learning_rates))
        return numbers, lambda: self._step(kernel.gradients(grad, x))

    def _losses(self, indices: Tensor, noise: Noise | None) -> tuple[Tensor, Tensor]:
        """Return the losses on a minibatch.

        Args:
            indices: each seed's samples in the training set (seeds, samples).
            noise: random numbers for activations that use them.

        Returns:
            The losses (runs,) for the backward pass, and losses and accuracies without a graph
            (2, runs).
        """
        x = self.batches.at(self.seeds, indices)
        outputs = self.stack.forward(
            x, noise=noise, fused_update=self.optimizer.fused_update, statistics="training"
        )
        labels = x.run_labels()
        loss = self.stack.output.loss(outputs, labels).mean(1)
        correct = self.stack.output.accuracy(outputs.detach(), labels)
        return loss, torch.stack([loss.detach(), correct])

    def _update(self, loss: Tensor) -> None:
        """Compute the gradients of the losses and update the parameters: see `optimizers`."""
        parameters = self.stack.parameters()
        if self.optimizer.fused_update:
            take_fused_step(loss, self.optimizer.learning_rates, parameters)
        else:
            self._step(gradients_of(loss, parameters))
        if self.stack.normalization:
            self.stack.normalization.follow()

    def _step(self, gradients: Sequence[Tensor]) -> None:
        # the learned slopes of an activation do not decay (He et al. 2015)
        self.optimizer.step(gradients, self.stack.parameters(), self.stack.num_decaying)

    # The schedule ---------------------------------------------------------------------------

    def _take_observed_step(self) -> None:
        """Take one step; between its losses and its update the networks are observed."""
        step = self.step
        set_rates(self.optimizer, self.rates, self.run, step)
        numbers, finish = self._begin_step(self._indices(step), self._noise(step))
        self.unread.append((step, numbers))
        have_left = self._read_losses()
        if not self.alive:
            return
        if have_left:  # what was begun holds the tensors of the larger fleet
            set_rates(self.optimizer, self.rates, self.run, step)
            _, finish = self._begin_step(self._indices(step), self._noise(step))
        self.observer.observe(step, self.stack, self.runs)
        before = self.observer.weights(step, self.stack)
        finish()
        self.observer.compare(step, self.stack, self.runs, before)
        self.step = step + 1

    def _take_steps(self) -> None:
        """Take the steps until losses are read next, without waiting for the device in between."""
        steps = self._steps_until_next_read()
        minibatches = self.batches.sample_indices(self.seeds, steps)
        if not self._take_compiled_steps(steps, minibatches):
            for step, indices in zip(steps, minibatches, strict=True):
                set_rates(self.optimizer, self.rates, self.run, step)
                if self.replay:
                    numbers = self.replay.take(self._take_step, indices)
                else:
                    numbers = self._take_step(indices, self._noise(step))
                self.unread.append((step, numbers))
        self.step = steps.stop
        self._read_losses()

    def _take_compiled_steps(self, steps: range, minibatches: Tensor) -> bool:
        """Take steps by the compiled kernel; return whether there is one for these networks."""
        if not (self.optimizer.fused_update and self.stack.is_differentiated_by_kernel):
            return False
        at_once = max(1, _MOST_INPUTS // (minibatches[0].numel() * self.batches.num_features))
        for part in torch.split(minibatches, at_once):
            batches = [self.batches.at(self.seeds, indices) for indices in part]
            kernel = self.stack.stepper(batches[0])
            taken, steps = steps[: len(part)], steps[len(part) :]
            numbers = kernel.take_steps(batches, torch.stack([*map(self._rates_at, taken)]))
            self.unread += zip(taken, numbers, strict=True)
        return True

    def _steps_until_next_read(self) -> range:
        """Return the steps from the current one to the next read or the next observed step."""
        end = min(self.step + READ_LOSSES_EVERY[self.device], self.run.num_steps)
        later = range(self.step + 1, end)
        return range(self.step, next((step for step in later if step in self.observer.steps), end))

    def _observe_trained_networks(self) -> None:
        """Observe the networks after the last update, without runs that it made diverge."""
        end = self.run.num_steps
        if self.alive and end:
            with torch.no_grad():
                loss, _ = self._losses(self._indices(end - 1), noise=None)
            self._remove_diverged(~torch.isfinite(loss).cpu(), end)
        self.observer.observe(end, self.stack, self.runs)

    def _indices(self, step: int) -> Tensor:
        """Return the samples of one step's minibatch in the training set: (seeds, samples)."""
        return self.batches.sample_indices(self.seeds, range(step, step + 1))[0]

    def _rates_at(self, step: int) -> Tensor:
        """Return a copy of the learning rates of a step: (runs,)."""
        set_rates(self.optimizer, self.rates, self.run, step)
        return self.optimizer.learning_rates.clone()

    def _configured_rates(self) -> Tensor:
        return torch.tensor([run.learning_rate for run in self.runs], device=self.device)

    def _noise(self, step: int) -> Noise:
        return training_noise(self.seeds, step, self.device)

    def _new_replay(self) -> Replay | None:
        """Return a replay for the current tensors; None if the device has none.

        Nor has a random network: a recorded step would repeat its random numbers.
        """
        recorder = RECORDERS.get(self.device)
        return None if recorder is None or self.stack.is_random else Replay(recorder())

    # Losses and diverged runs ---------------------------------------------------------------

    def _read_losses(self) -> bool:
        """Read the losses of all steps since the last read; return whether runs left the fleet.

        A run leaves at the step at which its loss was first not finite, even if it was updated
        after that: nothing of later steps is recorded.
        """
        steps = [step for step, _ in self.unread]
        numbers = torch.stack([each for _, each in self.unread]).cpu()  # (steps, 2, runs)
        self.unread = []
        num_alive = len(self.alive)
        for index, step in enumerate(steps):
            is_finite = torch.isfinite(numbers[index, 0])
            if self._remove_diverged(~is_finite, step):
                numbers = numbers[:, :, is_finite]
            loss, correct = numbers[index]
            self._record_batch(step, loss, correct)
        return len(self.alive) < num_alive

    def _remove_diverged(self, diverged: Tensor, step: int) -> bool:
        """Remove the diverged runs, given as a mask (runs,) on the CPU; return whether any were."""
        if not bool(diverged.any()):
            return False
        for position in torch.nonzero(diverged)[:, 0].tolist():
            self.diverged_at[self.alive[position]] = step
        self.retain(torch.nonzero(~diverged)[:, 0].tolist())
        return True

    def retain(self, positions: Sequence[int]) -> None:
        """Keep only the runs at these positions of the fleet."""
        index = torch.tensor(positions, dtype=torch.int64)
        self.alive = [self.alive[position] for position in positions]
        self.window = [(loss[index], correct[index]) for loss, correct in self.window]
        if self.alive:
            self.stack = self.stack.keep(positions)
            self.optimizer.keep(index.to(self.device))
            self.rates = self._configured_rates()
            self.replay = self._new_replay()

    def _record_batch(self, step: int, loss: Tensor, correct: Tensor) -> None:
        """Record the mean over each window of minibatches, at the step in its middle."""
        self.window.append((loss, correct))
        if len(self.window) == self.window_size or step == self.run.num_steps - 1:
            losses, corrects = (
                torch.stack(each).mean(0) for each in zip(*self.window, strict=True)
            )
            middle = step - (len(self.window) - 1) // 2
            self.records.curve([run.run_id for run in self.runs], middle, "batch", losses, corrects)
            self.window = []

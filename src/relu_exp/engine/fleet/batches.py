"""Batches of a fleet: which samples each seed sees at each step, stored once per seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from relu_exp.core.schema import RunConfig
from relu_exp.engine.data.datasets import Split, load, shape_of, train_indices
from relu_exp.engine.networks import NETWORKS
from relu_exp.engine.ops.layout import placed
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.streams import stream

__all__ = ["TRAIN_EVALUATION_SAMPLES", "Batches"]

TRAIN_EVALUATION_SAMPLES = 1000
"""Loss and accuracy on `train` are those of at most this many fixed training samples."""

_LEAVES_OUT = {"cpu": True, "cuda": False}
"""Whether products leave the background out: to know how far a batch reaches, one must wait for the
device, and a step that is replayed always reaches as far."""


class Batches:
    """The samples of runs that share a data set; `seeds` are always those of consecutive runs."""

    def __init__(self, run: RunConfig, device: str, chunk: int) -> None:
        """Load the data set of a fleet.

        Args:
            run: any run of the fleet.
            device: where the samples go.
            chunk: samples evaluated at once, the same for a lone run and in every fleet.

        Raises:
            UsageError: the data set is not there or too small.
        """
        self.run, self.device, self.chunk = run, device, chunk
        data = load(run.dataset)
        takes_any_order = NETWORKS[run.network.name].takes_any_order
        self.by_use = data.by_use if takes_any_order else None
        splits = self.by_use.splits if self.by_use else data.splits
        self.splits = {
            name: Split(split.inputs.to(device), split.labels.to(device))
            for name, split in splits.items()
        }
        self.num_train = shape_of(run.dataset).num_train
        self.batch_size = min(run.batch_size, self.num_train)
        self._training_sets: dict[int, Tensor] = {}
        self._orders: dict[int, tuple[int, Tensor]] = {}

    def places(self, seeds: Sequence[int], steps: range) -> Tensor:
        """Return what is learned at each step, as places in the training set, in one transfer.

        Every epoch is shuffled anew and its last rest left; a batch size beyond the training set
        means the whole set at every step.

        Returns:
            (steps, groups, samples), a group for each seed.
        """
        groups = [seed for seed, _ in groupby(seeds)]
        minibatches = [self._minibatch(seed, step) for step in steps for seed in groups]
        places = torch.stack(minibatches).reshape(len(steps), len(groups), self.batch_size)
        return places.to(self.device)

    def at(self, seeds: Sequence[int], places: Tensor) -> Samples:
        """Return the training samples at each seed's own places (groups, samples)."""
        sizes = tuple(len(list(group)) for _, group in groupby(seeds))
        return self._samples("train", places, sizes)

    def probe(self, seeds: Sequence[int]) -> Samples:
        """Return the fixed probe batch of every seed, drawn from its training set."""
        return self._gather(seeds, self._draw_probe)

    def evaluation(self, seeds: Sequence[int], split: str) -> Iterator[Samples]:
        """Yield a split in chunks: validation and test whole, of train a fixed part."""
        if split == "train":
            for begin in range(0, self._num_evaluated, self.chunk):
                end = min(begin + self.chunk, self._num_evaluated)
                yield self._training_part(seeds, slice(begin, end))
            return
        whole = torch.arange(len(self.splits[split]), device=self.device)
        for begin in range(0, len(whole), self.chunk):
            yield self._samples(split, whole[None, begin : begin + self.chunk], (len(seeds),))

    def unevaluated(self, seeds: Sequence[int], index: int) -> Samples | None:
        """Return the n-th chunk of what an evaluation leaves of `train`, or None past its end."""
        begin = self._num_evaluated + index * self.chunk
        if begin >= self.num_train:
            return None
        return self._training_part(seeds, slice(begin, begin + self.chunk))

    @property
    def _num_evaluated(self) -> int:
        return min(TRAIN_EVALUATION_SAMPLES, self.num_train)

    def _samples(self, split: str, places: Tensor, sizes: tuple[int, ...]) -> Samples:
        """Return the samples of a split at each group's places (groups, samples)."""
        inputs, labels = self.splits[split].inputs[places], self.splits[split].labels[places]
        x = Samples(placed(inputs.transpose(1, 2)), labels, sizes)
        if self.by_use is None or not _LEAVES_OUT[self.device]:
            return x
        ends = self.by_use.ends[split][places].amax(1)
        return x.reaching(ends.tolist(), self.by_use.background)

    def _training_part(self, seeds: Sequence[int], part: slice) -> Samples:
        return self._gather(seeds, lambda seed: self._training_set(seed)[part])

    def _gather(self, seeds: Sequence[int], places_of: Callable[[int], Tensor]) -> Samples:
        """Return training samples by each seed's own places, stored once per seed."""
        places = torch.stack([places_of(seed) for seed, _ in groupby(seeds)])
        return self.at(seeds, places.to(self.device))

    def _minibatch(self, seed: int, step: int) -> Tensor:
        epoch, place = divmod(step, self.num_train // self.batch_size)
        return self._order(seed, epoch)[place * self.batch_size : (place + 1) * self.batch_size]

    def _training_set(self, seed: int) -> Tensor:
        """Return a seed's training set in random order, so that any part of it is a fair sample."""
        if seed not in self._training_sets:
            own = train_indices(self.run.dataset, seed)
            order = torch.randperm(len(own), generator=stream(seed, "order"))
            self._training_sets[seed] = own[order]
        return self._training_sets[seed]

    def _order(self, seed: int, epoch: int) -> Tensor:
        """Return a seed's training set in the order of an epoch; the last one asked for is kept."""
        known = self._orders.get(seed)
        if known is None or known[0] != epoch:
            own = self._training_set(seed)
            order = torch.randperm(len(own), generator=stream(seed, "batches", epoch))
            known = self._orders[seed] = epoch, own[order]
        return known[1]

    def _draw_probe(self, seed: int) -> Tensor:
        own = self._training_set(seed)
        return own[torch.randperm(len(own), generator=stream(seed, "probe"))][
            : self.run.probe_samples
        ]

"""The batches of a fleet: which samples each seed sees at each step, stored once per seed."""

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
"""Loss and accuracy on `train` are computed on at most this many fixed training samples."""

_SKIPS_BACKGROUND = {"cpu": True, "cuda": False}
"""Whether products skip the features that are background. On a GPU, counting a batch's active
features would wait for the device, and a replayed step always has the same number of them."""


class Batches:
    """The samples of runs that share a data set; `seeds` lists the seeds of consecutive runs."""

    def __init__(self, run: RunConfig, device: str, chunk: int) -> None:
        """Load the data set of a fleet.

        Args:
            run: any run of the fleet.
            device: where the samples are stored.
            chunk: samples evaluated at once, the same for every size of fleet.

        Raises:
            UsageError: the data set is missing or too small.
        """
        self.run, self.device, self.chunk = run, device, chunk
        data = load(run.dataset)
        permutes_inputs = NETWORKS[run.network.name].permutes_inputs
        self.sorted_data = data.sorted_by_sparsity if permutes_inputs else None
        splits = self.sorted_data.splits if self.sorted_data else data.splits
        self.splits = {
            name: Split(split.inputs.to(device), split.labels.to(device))
            for name, split in splits.items()
        }
        self.num_train = shape_of(run.dataset).num_train
        self.batch_size = min(run.batch_size, self.num_train)
        self.num_features = self.splits["train"].inputs.shape[1]
        self._training_sets: dict[int, Tensor] = {}
        self._orders: dict[int, tuple[int, Tensor]] = {}
        self._probes: dict[int, Tensor] = {}

    def sample_indices(self, seeds: Sequence[int], steps: range) -> Tensor:
        """Return the minibatches of some steps as indices into the training set, in one transfer.

        Every epoch is shuffled anew and an incomplete last minibatch is left out. If the batch size
        exceeds the training set, every step uses the whole set.

        Returns:
            (steps, groups, samples), one group for each seed.
        """
        groups = [seed for seed, _ in groupby(seeds)]
        minibatches = [self._minibatch(seed, step) for step in steps for seed in groups]
        indices = torch.stack(minibatches).reshape(len(steps), len(groups), self.batch_size)
        return indices.to(self.device)

    def at(self, seeds: Sequence[int], indices: Tensor) -> Samples:
        """Return the training samples with each seed's own indices (groups, samples)."""
        sizes = tuple(len(list(group)) for _, group in groupby(seeds))
        return self._samples("train", indices, sizes)

    def probe(self, seeds: Sequence[int]) -> Samples:
        """Return the fixed probe batch of every seed, drawn from its training set."""
        return self._gather(seeds, self._probe_indices)

    def evaluation(self, seeds: Sequence[int], split: str) -> Iterator[Samples]:
        """Yield a split in chunks: all of validation and test, a fixed part of train."""
        if split == "train":
            for begin in range(0, self._num_evaluated, self.chunk):
                end = min(begin + self.chunk, self._num_evaluated)
                yield self._training_part(seeds, slice(begin, end))
            return
        whole = torch.arange(len(self.splits[split]), device=self.device)
        for begin in range(0, len(whole), self.chunk):
            yield self._samples(split, whole[None, begin : begin + self.chunk], (len(seeds),))

    def unevaluated(self, seeds: Sequence[int], index: int) -> Samples | None:
        """Return the n-th chunk of the part of `train` that is not evaluated, None past its end."""
        begin = self._num_evaluated + index * self.chunk
        if begin >= self.num_train:
            return None
        return self._training_part(seeds, slice(begin, begin + self.chunk))

    @property
    def _num_evaluated(self) -> int:
        return min(TRAIN_EVALUATION_SAMPLES, self.num_train)

    def _samples(self, split: str, indices: Tensor, sizes: tuple[int, ...]) -> Samples:
        """Return the samples of a split with each group's indices (groups, samples)."""
        inputs, labels = self.splits[split].inputs[indices], self.splits[split].labels[indices]
        x = Samples(placed(inputs.transpose(1, 2)), labels, sizes)
        if self.sorted_data is None or not _SKIPS_BACKGROUND[self.device]:
            return x
        num_active_features = self.sorted_data.num_active_features[split][indices].amax(1)
        return x.with_background(self.sorted_data.background, num_active_features.tolist())

    def _training_part(self, seeds: Sequence[int], part: slice) -> Samples:
        return self._gather(seeds, lambda seed: self._training_set(seed)[part])

    def _gather(self, seeds: Sequence[int], indices_of: Callable[[int], Tensor]) -> Samples:
        """Return training samples with each seed's own indices, stored once per seed."""
        indices = torch.stack([indices_of(seed) for seed, _ in groupby(seeds)])
        return self.at(seeds, indices.to(self.device))

    def _minibatch(self, seed: int, step: int) -> Tensor:
        epoch, index = divmod(step, self.num_train // self.batch_size)
        return self._order(seed, epoch)[index * self.batch_size : (index + 1) * self.batch_size]

    def _training_set(self, seed: int) -> Tensor:
        """Return a seed's training set in random order, so that any slice is a random sample."""
        if seed not in self._training_sets:
            own = train_indices(self.run.dataset, seed)
            order = torch.randperm(len(own), generator=stream(seed, "order"))
            self._training_sets[seed] = own[order]
        return self._training_sets[seed]

    def _order(self, seed: int, epoch: int) -> Tensor:
        """Return a seed's training set in the order of an epoch; the latest order is cached."""
        known = self._orders.get(seed)
        if known is None or known[0] != epoch:
            own = self._training_set(seed)
            order = torch.randperm(len(own), generator=stream(seed, "batches", epoch))
            known = self._orders[seed] = epoch, own[order]
        return known[1]

    def _probe_indices(self, seed: int) -> Tensor:
        if seed not in self._probes:
            own = self._training_set(seed)
            order = torch.randperm(len(own), generator=stream(seed, "probe"))
            self._probes[seed] = own[order[: self.run.probe_samples]]
        return self._probes[seed]

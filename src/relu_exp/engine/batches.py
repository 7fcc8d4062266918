"""Batches of a fleet: which samples each seed sees at each step, stored once per seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby

import torch
from torch import Tensor

from relu_exp.engine.datasets import Split, load, shape_of, train_indices
from relu_exp.engine.kernels import Samples
from relu_exp.engine.streams import stream
from relu_exp.schema import RunConfig

__all__ = ["TRAIN_EVALUATION_SAMPLES", "Batches"]

TRAIN_EVALUATION_SAMPLES = 1000
"""Loss and accuracy on `train` are those of at most this many fixed training samples."""


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
        self.splits = {
            name: Split(split.inputs.to(device), split.labels.to(device))
            for name, split in {
                "train": data.train,
                "validation": data.validation,
                "test": data.test,
            }.items()
        }
        self.num_train = shape_of(run.dataset).num_train
        self.batch_size = min(run.batch_size, self.num_train)
        self._training_set = cache(self._draw_training_set)
        self._order = lru_cache(maxsize=256)(self._draw_order)

    def minibatch(self, seeds: Sequence[int], step: int) -> Samples:
        """Return what is learned at a step; every epoch is shuffled anew and its last rest left.

        A batch size beyond the training set means the whole set at every step.
        """
        epoch, place = divmod(step, self.num_train // self.batch_size)
        part = slice(place * self.batch_size, (place + 1) * self.batch_size)
        return self._gather(seeds, lambda seed: self._order(seed, epoch)[part])

    def probe(self, seeds: Sequence[int]) -> Samples:
        """Return the fixed probe batch of every seed, drawn from its training set."""
        return self._gather(seeds, self._draw_probe)

    def training_chunk(self, seeds: Sequence[int], index: int) -> Samples | None:
        """Return the n-th chunk of every seed's training set, or None past its end."""
        begin = index * self.chunk
        if begin >= self.num_train:
            return None
        return self._training_part(seeds, slice(begin, begin + self.chunk))

    def evaluation(self, seeds: Sequence[int], split: str) -> Iterator[Samples]:
        """Yield a split in chunks: validation and test whole, of train a fixed part."""
        if split == "train":
            whole = min(TRAIN_EVALUATION_SAMPLES, self.num_train)
            for begin in range(0, whole, self.chunk):
                yield self._training_part(seeds, slice(begin, min(begin + self.chunk, whole)))
            return
        inputs, labels = self.splits[split].inputs, self.splits[split].labels
        for begin in range(0, len(labels), self.chunk):
            part = slice(begin, begin + self.chunk)
            yield Samples(inputs[part].T[None], labels[part][None], (len(seeds),))

    def _training_part(self, seeds: Sequence[int], part: slice) -> Samples:
        return self._gather(seeds, lambda seed: self._training_set(seed)[part])

    def _gather(self, seeds: Sequence[int], index_of: Callable[[int], Tensor]) -> Samples:
        """Return training samples by each seed's own index, stored once per seed."""
        groups = [(seed, len(list(group))) for seed, group in groupby(seeds)]
        index = torch.stack([index_of(seed) for seed, _ in groups]).to(self.device)
        train = self.splits["train"]
        inputs, labels = train.inputs[index], train.labels[index]
        return Samples(inputs.transpose(1, 2), labels, tuple(size for _, size in groups))

    def _draw_training_set(self, seed: int) -> Tensor:
        """Return a seed's training set in random order, so that any part of it is a fair sample."""
        own = train_indices(self.run.dataset, seed)
        return own[torch.randperm(len(own), generator=stream(seed, "order"))]

    def _draw_order(self, seed: int, epoch: int) -> Tensor:
        own = self._training_set(seed)
        return own[torch.randperm(len(own), generator=stream(seed, "batches", epoch))]

    def _draw_probe(self, seed: int) -> Tensor:
        own = self._training_set(seed)
        return own[torch.randperm(len(own), generator=stream(seed, "probe"))][
            : self.run.probe_samples
        ]

"""Which samples each seed sees: drawn once an epoch, and gone with the fleet."""

from __future__ import annotations

import gc
import weakref
from collections import Counter

import pytest
import torch

from relu_exp.engine.fleet import batches
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.streams import stream

from configs import make_run


def test_an_order_is_drawn_once_an_epoch_however_many_seeds_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: Counter[str] = Counter()

    def counted(seed: int, name: str, *index: int) -> torch.Generator:
        drawn[name] += 1
        return stream(seed, name, *index)

    monkeypatch.setattr(batches, "stream", counted)
    seeds, run = range(300), make_run(dataset=("digits", {"num_train": 32}), batch_size=16)
    here = Batches(run, "cpu", 64)
    indices = torch.cat([here.sample_indices(seeds, range(step, step + 1)) for step in range(4)])
    assert drawn == {"order": 300, "batches": 600}
    assert torch.equal(indices, here.sample_indices(seeds, range(4)))
    # an epoch is every sample once
    for seed in (0, 299):
        epoch = indices[:2, seed].flatten().tolist()
        assert len(set(epoch)) == 32


def test_batches_go_with_their_fleet() -> None:
    here = Batches(make_run(dataset="digits"), "cpu", 64)
    here.sample_indices([0], range(2))
    here.probe([0])
    ghost = weakref.ref(here)
    gc.disable()
    try:
        del here
        assert ghost() is None
    finally:
        gc.enable()

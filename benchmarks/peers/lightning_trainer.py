"""Lightning: a `Trainer` per run, in a pool of single-threaded processes."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from functools import partial

import lightning
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from benchmarks.child import answer
from benchmarks.peers.plain import in_pool, network
from benchmarks.work import Run, Work, batches, training_set

__all__ = ["train"]


class Batches(Sampler[Tensor]):
    """The indices of every step's samples, as one tensor: the data set takes them at once."""

    def __init__(self, seed: int, num_steps: int) -> None:
        self.seed, self.num_steps = seed, num_steps

    def __iter__(self) -> Iterator[Tensor]:
        return batches(self.seed, self.num_steps)

    def __len__(self) -> int:
        return self.num_steps


class Classifier(lightning.LightningModule):
    """A network that learns the labels."""

    def __init__(self, work: Work, run: Run) -> None:
        super().__init__()
        self.network, self.rate = network(work, run), run.learning_rate
        self.losses: list[float] = []

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, labels = batch
        loss = F.cross_entropy(self.network(inputs), labels)
        self.losses.append(loss.item())
        if not math.isfinite(self.losses[-1]):
            self.trainer.should_stop = True
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


def train(work: Work, run: Run, num_steps: int) -> list[float]:
    """Return the loss on the minibatch before every update."""
    # what a Trainer says, saves and draws takes time
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*num_workers.*")
    model = Classifier(work, run)
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=num_steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        # once, not at every run
        num_sanity_val_steps=0,
    )
    loader = DataLoader(
        TensorDataset(*training_set()), batch_size=None, sampler=Batches(run.seed, num_steps)
    )
    trainer.fit(model, loader)
    return model.losses


if __name__ == "__main__":
    answer(partial(in_pool, train))

"""A plain loop over `nn.Sequential` networks, in a pool of single-threaded processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import skip_init

from benchmarks.child import Answer, Question, answer, single_threaded, steady_rate
from benchmarks.work import Run, Work, batches, initial_weights, training_set

__all__ = ["in_pool", "network", "train"]

MODULES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
}


def network(work: Work, run: Run) -> nn.Sequential:
    """Return the network of a run at its start."""
    layers: list[nn.Module] = []
    for (fan_in, fan_out), weight in zip(work.sizes, initial_weights(work, run), strict=True):
        # the drawn weights are at once replaced: an expert leaves the drawing out
        linear = skip_init(nn.Linear, fan_in, fan_out)
        linear.weight.data, linear.bias.data = weight, torch.zeros(fan_out)
        layers += [linear, MODULES[run.activation]()]
    return nn.Sequential(*layers[:-1])


def train(
    work: Work, run: Run, num_steps: int, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> list[float]:
    """Return the loss on the minibatch before every update; a run that diverges ends."""
    inputs, labels = (each.to(device) for each in training_set())
    inputs, model = inputs.to(dtype), network(work, run).to(device, dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=run.learning_rate)
    losses: list[float] = []
    for batch in batches(run.seed, num_steps):
        index = batch.to(device)
        loss = F.cross_entropy(model(inputs[index]), labels[index])
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


Train = Callable[[Work, Run, int], list[float]]


def _timed(train: Train, work: Work, num_steps: int, run: Run) -> tuple[int, float, list[float]]:
    losses = train(work, run, num_steps)
    return os.getpid(), time.perf_counter(), losses


def in_pool(train: Train, question: Question) -> Answer:
    """Train a sample in a pool of single-threaded processes."""
    runs = question.runs
    began = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(question.num_workers, single_threaded) as pool:
        work = partial(_timed, train, question.work, question.num_steps)
        done = pool.map(work, runs, chunksize=1)
    first = min(time for _, time, _ in done)
    return Answer(
        rate=steady_rate((worker, time) for worker, time, _ in done),
        losses={run.name: losses for run, (*_, losses) in zip(runs, done, strict=True)},
        sample=f"{len(runs)} runs",
        once=first - began,
        updates=sum(len(losses) for *_, losses in done) / len(runs) / question.num_steps,
    )


if __name__ == "__main__":
    answer(partial(in_pool, train))

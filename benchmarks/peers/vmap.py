"""`torch.func`: `vmap` over the runs of a chunk, in single-threaded processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import grad_and_value, vmap

from benchmarks.child import Question, answer
from benchmarks.side_by_side import Chunk, Timed, measure
from benchmarks.work import Work, batches, initial_weights, training_set

__all__ = ["time_chunk", "train"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
}
Parameters = list[tuple[Tensor, Tensor]]


def initial_parameters(work: Work, chunk: Chunk, device: str = "cpu") -> Parameters:
    """Return weights (seeds, runs of a seed, out, in) and biases of every layer."""
    drawn = [initial_weights(work, run) for run in chunk.runs]
    groups = (len(chunk.seeds), len(chunk.runs) // len(chunk.seeds))
    stacked = [torch.stack(layer).unflatten(0, groups) for layer in zip(*drawn, strict=True)]
    return [(W.to(device), torch.zeros(W.shape[:-1], device=device)) for W in stacked]


def train(
    parameters: Parameters, chunk: Chunk, num_steps: int, device: str = "cpu", first: int = 0
) -> Tensor:
    """Update the parameters in place after `first` steps, and return losses (runs, steps)."""
    inputs, labels = (each.to(device) for each in training_set())
    phi = ACTIVATIONS[chunk.activation]

    def loss_of(parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        *hidden, (W_out, b_out) = parameters
        for W, b in hidden:
            x = phi(F.linear(x, W, b))
        return F.cross_entropy(F.linear(x, W_out, b_out), y)

    of_a_seed = vmap(grad_and_value(loss_of), in_dims=(0, None, None))
    of_all = vmap(of_a_seed)
    rates = torch.tensor([run.learning_rate for run in chunk.runs], device=device)
    rates = rates.reshape(parameters[0][0].shape[:2])
    orders = [list(batches(seed, first + num_steps))[first:] for seed in chunk.seeds]
    losses = []
    for index in zip(*orders, strict=True):
        batch = torch.stack(index).to(device)
        grads, loss = of_all(parameters, inputs[batch], labels[batch])
        for pair, grad_pair in zip(parameters, grads, strict=True):
            for parameter, grad in zip(pair, grad_pair, strict=True):
                shape = (*rates.shape, *[1] * (parameter.dim() - 2))
                parameter.addcmul_(grad, rates.reshape(shape), value=-1)
        losses.append(loss.flatten())
    return torch.stack(losses, dim=1)


def time_chunk(question: Question, chunk: Chunk, wait: Callable[[], None]) -> Timed:
    """Time the set-up of a chunk and its updates but the first, which also prepares much."""
    began = time.perf_counter()
    parameters = initial_parameters(question.work, chunk)
    setup = time.perf_counter() - began
    first = train(parameters, chunk, 1)
    wait()
    began = time.perf_counter()
    losses = train(parameters, chunk, question.num_steps, first=1)
    seconds = time.perf_counter() - began
    losses = torch.cat([first, losses], dim=1)
    return Timed(0.0, setup, seconds / question.num_steps, losses.tolist())


if __name__ == "__main__":
    answer(partial(measure, time_chunk))

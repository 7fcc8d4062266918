"""JAX: `jit` of a `scan` over updates of a `vmap` over runs, in processes of one core each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.child import Question, answer
from benchmarks.side_by_side import Chunk, Timed, measure
from benchmarks.work import Work, batches, initial_weights, training_set

__all__ = ["arguments_of", "time_chunk", "training"]


def initial_parameters(work: Work, chunk: Chunk) -> list[tuple[Any, Any]]:
    """Return weights (seeds, runs of a seed, in, out) and biases of every layer."""
    drawn = [initial_weights(work, run) for run in chunk.runs]
    shape = (len(chunk.seeds), len(chunk.runs) // len(chunk.seeds))
    stacked = [np.stack([W.numpy().T for W in layer]) for layer in zip(*drawn, strict=True)]
    return [
        (W.reshape(*shape, *W.shape[1:]), np.zeros((*shape, W.shape[2]), np.float32))
        for W in stacked
    ]


def training(activation: str) -> Callable[..., Any]:
    """Return the function that trains all runs of a chunk; it holds no numbers of any run."""
    import jax

    phi = getattr(jax.nn, activation)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        *hidden, (W_out, b_out) = parameters
        for W, b in hidden:
            x = phi(x @ W + b)
        log_probabilities = jax.nn.log_softmax(x @ W_out + b_out)
        return -jax.numpy.take_along_axis(log_probabilities, y[:, None], 1).mean()

    def update(parameters: Any, rate: Any, x: Any, y: Any) -> tuple[Any, Any]:
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        return jax.tree.map(lambda p, g: p - rate * g, parameters, grads), loss

    # runs of a seed share their minibatch
    update_all = jax.vmap(jax.vmap(update, in_axes=(0, 0, None, None)))

    def train(parameters: Any, rates: Any, inputs: Any, labels: Any, order: Any) -> tuple[Any, Any]:
        def step(parameters: Any, batch: Any) -> tuple[Any, Any]:
            return update_all(parameters, rates, inputs[batch], labels[batch])

        return jax.lax.scan(step, parameters, order)

    return train


def arguments_of(question: Question, chunk: Chunk) -> tuple[Any, ...]:
    """Return what `training` takes, on JAX's device."""
    import jax

    inputs, labels = (each.numpy() for each in training_set())
    parameters = initial_parameters(question.work, chunk)
    rates = np.array([run.learning_rate for run in chunk.runs], np.float32)
    rates = rates.reshape(len(chunk.seeds), -1)
    order = np.stack(
        [
            np.stack([batch.numpy() for batch in batches(seed, question.num_steps)])
            for seed in chunk.seeds
        ],
        axis=1,
    ).astype(np.int32)
    placed: tuple[Any, ...] = jax.device_put((parameters, rates, inputs, labels, order))
    return placed


def time_chunk(question: Question, chunk: Chunk, wait: Callable[[], None]) -> Timed:
    """Time the compilation, the set-up of a chunk, and its updates."""
    # here is one core; the products' own threads would only be in each other's way
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    began = time.perf_counter()
    arguments = arguments_of(question, chunk)
    setup = time.perf_counter() - began
    began = time.perf_counter()
    train = jax.jit(training(chunk.activation)).lower(*arguments).compile()
    compiled = time.perf_counter() - began
    wait()
    began = time.perf_counter()
    _, losses = jax.block_until_ready(train(*arguments))
    seconds = time.perf_counter() - began
    curves = np.asarray(losses).reshape(question.num_steps, -1).T
    return Timed(compiled, setup, seconds / question.num_steps, curves.tolist())


if __name__ == "__main__":
    answer(partial(measure, time_chunk))

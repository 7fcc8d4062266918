"""JAX on a GPU: as `jax_scan`, all runs of an activation in one program, without TF32."""

from __future__ import annotations

import os
import time

from benchmarks.child import Answer, Question, answer
from benchmarks.peers.jax_scan import arguments_of, training
from benchmarks.side_by_side import chunks_of


def measure(question: Question) -> Answer:
    """Train every run of a work; the rate is that of the updates, compiled before."""
    # torch computes the initial weights in this process: leave it the memory
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax
    import numpy as np

    jax.config.update("jax_default_matmul_precision", "highest")
    question = Question(question.work, question.num_runs, question.num_steps, 1, _all(question))
    seconds = compiling = 0.0
    losses = {}
    for chunk in chunks_of(question):
        arguments = arguments_of(question, chunk)
        began = time.perf_counter()
        train = jax.jit(training(chunk.activation)).lower(*arguments).compile()
        compiling += time.perf_counter() - began
        jax.block_until_ready(train(*arguments))
        began = time.perf_counter()
        _, found = jax.block_until_ready(train(*arguments))
        seconds += time.perf_counter() - began
        curves = np.asarray(found).reshape(question.num_steps, -1).T.tolist()
        losses |= {run.name: curve for run, curve in zip(chunk.runs, curves, strict=True)}
    return Answer(len(losses) / seconds, losses, f"{len(losses)} runs", once=compiling)


def _all(question: Question) -> int:
    """Return the number of runs of one activation."""
    return 16 * question.work.num_seeds


if __name__ == "__main__":
    answer(measure)

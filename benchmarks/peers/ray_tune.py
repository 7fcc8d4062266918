"""Ray Tune: one trial per run, two at a time, in actors that are used again."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.child import Answer, Question, answer, single_threaded, steady_rate
from benchmarks.work import WORKS, runs_of

__all__ = ["measure"]


def trial(config: dict[str, Any]) -> dict[str, Any]:
    """Train one run and return what it ends with."""
    from benchmarks.peers.plain import train

    single_threaded()
    work = WORKS[config["work"]]
    losses = train(work, runs_of(work)[config["index"]], config["num_steps"])
    return {
        "loss": losses[-1],
        "losses": losses,
        "worker": os.getpid(),
        "time": time.perf_counter(),
    }


def measure(question: Question) -> Answer:
    """Tune over the runs of a sample; what starts once is left out of the rate."""
    # what Ray reports home and every trial writes down takes time
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    # its workers import these programs
    path = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    import ray
    from ray import tune

    began = time.perf_counter()
    ray.init(
        # one of its own, whatever cluster this machine belongs to
        address="local",
        num_cpus=question.num_workers,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={
                "work": question.work.name,
                "num_steps": question.num_steps,
                "index": tune.grid_search(list(range(question.num_runs))),
            },
            tune_config=tune.TuneConfig(
                max_concurrent_trials=question.num_workers, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        done = {each.config["index"]: each.metrics for each in tuner.fit()}
    ray.shutdown()
    return Answer(
        rate=steady_rate((each["worker"], each["time"]) for each in done.values()),
        losses={run.name: done[index]["losses"] for index, run in enumerate(question.runs)},
        sample=f"{question.num_runs} trials",
        once=min(each["time"] for each in done.values()) - began,
    )


if __name__ == "__main__":
    answer(measure)

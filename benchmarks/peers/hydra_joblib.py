"""Hydra's joblib launcher: one job of a multirun per run, in a pool of processes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

from benchmarks.child import Answer, Question, answer, single_threaded, steady_rate
from benchmarks.peers.plain import train
from benchmarks.work import WORKS, runs_of

__all__ = ["measure"]


@dataclass
class Config:
    """A job's configuration."""

    work: str = "W1"
    index: int = 0
    num_steps: int = 200


ConfigStore.instance().store("config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def job(config: Config) -> None:
    """Train one run and leave its losses in the job's folder."""
    single_threaded()
    work = WORKS[config.work]
    losses = train(work, runs_of(work)[config.index], config.num_steps)
    folder = Path(HydraConfig.get().runtime.output_dir)
    found = {"worker": os.getpid(), "time": time.perf_counter(), "losses": losses}
    (folder / "result.json").write_text(json.dumps(found))


def measure(question: Question) -> Answer:
    """Sweep over the runs of a sample."""
    indices = ",".join(map(str, range(question.num_runs)))
    with tempfile.TemporaryDirectory() as folder:
        sys.argv[1:] = [
            "--multirun",
            f"work={question.work.name}",
            f"index={indices}",
            f"num_steps={question.num_steps}",
            f"hydra.sweep.dir={folder}",
            "hydra/launcher=joblib",
            f"hydra.launcher.n_jobs={question.num_workers}",
            # what a job says takes time
            "hydra/job_logging=disabled",
            "hydra/hydra_logging=disabled",
        ]
        began = time.perf_counter()
        job()
        done = [
            json.loads((Path(folder) / str(index) / "result.json").read_text())
            for index in range(question.num_runs)
        ]
    return Answer(
        rate=steady_rate((each["worker"], each["time"]) for each in done),
        losses={run.name: each["losses"] for run, each in zip(question.runs, done, strict=True)},
        sample=f"{question.num_runs} runs",
        once=min(each["time"] for each in done) - began,
    )


if __name__ == "__main__":
    answer(measure)

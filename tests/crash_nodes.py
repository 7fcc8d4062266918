"""Lose nodes of a Ray cluster at random moments of sweeps: `python tests/crash.py --nodes 10`.

The cluster is a real one of several raylets on this machine. The commands are those of a user;
each loss is a raylet killed with its workers, and another node joins in its place.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crash import (
    PROGRAM,
    SETTINGS,
    Calm,
    Reader,
    differences,
    prepare,
    summary,
    wait_for_trouble,
)

NUM_NODES = 3
NODE = {"num_cpus": 1, "object_store_memory": 10**8}
START_SECONDS = 15.0
"""What a sweep takes longer than here: nodes load torch first, and start fleets again."""


@contextmanager
def cluster_of(num_nodes: int) -> Iterator[Any]:
    """Start a Ray cluster of several nodes on this machine, whose workers find these tests."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = NODE | {"include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(num_nodes - 1):
            cluster.add_node(**NODE)
        yield cluster
    finally:
        cluster.shutdown()


def command(folder: Path, address: str, results: str) -> list[str | Path]:
    ray = ["launcher=ray", f"launcher.address={address}", f"launcher.results={results}"]
    # whoever is unlucky ten times is not written off: no run may end as a row of its node's loss
    ray += ["launcher.max_retries=100", "--plugin", "lost_fleets"]
    place = ["--device", "cpu", "--results", folder / "results"]
    return [PROGRAM, "run", folder / "tiny.yaml", *SETTINGS, *ray, *place]


def lost_nodes(
    folder: Path, calm: Calm, num_losses: int, seed: int, tell: Callable[[str], None]
) -> Counter[str]:
    """Kill nodes under sweeps, and add others, until so many were lost; return what went wrong."""
    chance, tally = random.Random(seed), Counter[str]()
    expected, seconds = calm
    with cluster_of(NUM_NODES) as cluster:
        while tally["nodes"] < num_losses:
            place = folder / f"nodes{tally['sweeps']}"
            store = prepare(place)
            os.environ["LOST_FLEETS"] = str(place / "lost")
            with Reader(store) as reader:
                process = subprocess.Popen(
                    command(place, cluster.address, chance.choice(["driver", "shared"])),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                while tally["nodes"] < num_losses:
                    wait_for_trouble(process, store, chance, seconds + START_SECONDS)
                    if process.poll() is not None:
                        break
                    node = chance.choice(list(cluster.worker_nodes))
                    cluster.remove_node(node, allow_graceful=False)
                    tally["nodes"] += 1
                    cluster.add_node(**NODE)
                out, _ = process.communicate()
                if process.returncode:
                    raise SystemExit(f"exit code {process.returncode}: {out}")
            lost = place / "lost"
            tally["fleets lost"] += len(lost.read_text().split()) if lost.exists() else 0
            tally["unreadable"] += len(reader.unreadable)
            tally["looks"] += reader.looks
            tally["sweeps"] += 1
            tally += differences(store, expected)
            tell(summary(tally) + "".join(f"\n  {words}" for words in reader.unreadable[:3]))
            shutil.rmtree(place)
    return tally

"""What `relu_exp.watch` costs: a training of 25 layers of 256 units, watched and not, in turns.

python -m benchmarks.watching [--rounds 5] [--every 100]
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

import relu_exp
from benchmarks.records import RESULTS, save

_DEPTH, _WIDTH, _BATCH = 25, 256, 128


def network() -> nn.Sequential:
    """Return 25 hidden layers of 256 units, He initialization, ReLU."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(_DEPTH):
        layers += [nn.Linear(_WIDTH, _WIDTH), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight)
    return nn.Sequential(*layers, nn.Linear(_WIDTH, 10))


def seconds(steps: int, every: int | None) -> float:
    """Return the time of so many updates, watched at every n-th one or not at all."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(_BATCH, _WIDTH), torch.randint(0, 10, (_BATCH,))
    watching = relu_exp.watch(model, optimizer, every=every) if every else nullcontext()
    began = time.perf_counter()
    with watching:
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return time.perf_counter() - began


def main() -> None:
    """Measure both in turn, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=RESULTS / "watching.json")
    options = parser.parse_args()
    seconds(2, 1)  # what is loaded or compiled once
    rounds = [
        {"alone": seconds(options.steps, None), "watched": seconds(options.steps, options.every)}
        for _ in range(options.rounds)
    ]
    ratios = [each["watched"] / each["alone"] for each in rounds]
    rows = [
        "| layers | every | watched / alone |",
        "| --- | --- | --- |",
        f"| {_DEPTH} × {_WIDTH} | {options.every} | "
        f"{median(ratios):.3f} ({min(ratios):.3f} … {max(ratios):.3f}) |",
        "",
    ]
    save(options.out, "\n".join(rows), {"rounds": rounds, "steps": options.steps})


if __name__ == "__main__":
    main()

"""A fleet's convolutions: one run after another, as one grouped convolution, or by `vmap`.

python -m benchmarks.convolutions [--device cpu] [--rounds 5] [--runs 1,4,16] [--samples 64]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.child import single_threaded
from benchmarks.device import timed
from benchmarks.records import RESULTS, save
from relu_exp.engine.ops.kernels import convolutions, grouped_convolution

LAYERS = {
    "small_cnn, first": ((1, 8, 28, 5, 0), False),
    "small_cnn, second": ((8, 16, 12, 5, 0), True),
    "document_cnn, second": ((10, 50, 28, 7, 3), True),
}
"""Layer → channels in and out, side of maps, of the kernel, padding; has it a layer below?"""

Way = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def vmapped(h: Tensor, w: Tensor, b: Tensor, padding: int) -> Tensor:
    """Return what `convolutions` returns, by `torch.func.vmap`."""
    alone = partial(F.conv2d, padding=padding)
    result: Tensor = torch.func.vmap(alone)(h, w, b)
    return result


WAYS: dict[str, Way] = {
    "one after another": convolutions,
    "grouped": grouped_convolution,
    "vmap": vmapped,
}


def there_and_back(way: Way, h: Tensor, w: Tensor, b: Tensor, padding: int) -> Tensor:
    """Convolve and find the gradients; return the convolutions."""
    z = way(h, w, b, padding)
    torch.autograd.grad(z, [each for each in (h, w, b) if each.requires_grad], z.detach())
    return z.detach()


def measure(layer: str, runs: int, samples: int, rounds: int, device: str) -> list[str]:
    """Return a row for each way: milliseconds of an update, ratio within a round, same bits."""
    (channels, out, side, kernel, padding), has_below = LAYERS[layer]
    torch.manual_seed(0)
    h = torch.randn(runs, samples, channels, side, side, device=device, requires_grad=has_below)
    w = torch.randn(runs, out, channels, kernel, kernel, device=device, requires_grad=True)
    b = torch.randn(runs, out, device=device, requires_grad=True)
    alone = there_and_back(convolutions, h[:1].detach(), w[:1], b[:1], padding)
    same = {
        name: torch.equal(there_and_back(way, h, w, b, padding)[:1], alone)
        for name, way in WAYS.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name in random.sample(list(WAYS), len(WAYS)):
            work = partial(there_and_back, WAYS[name], h, w, b, padding)
            seconds[name].append(timed(device, work))
    rows = []
    for name, times in seconds.items():
        ratios = [
            ours / each for ours, each in zip(seconds["one after another"], times, strict=True)
        ]
        rows.append(
            f"| {layer} | {runs} | {name} | {median(times) * 1e3:.1f} "
            f"| {median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f}) "
            f"| {'yes' if same[name] else 'no'} |"
        )
    return rows


def main() -> None:
    """Measure in rounds, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", default="1,4,16")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RESULTS / "convolutions.json")
    options = parser.parse_args()
    single_threaded()
    lines = [
        "| layer | runs | way | an update, ms | faster by | the bits of a lone run |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for layer in LAYERS:
        for runs in map(int, options.runs.split(",")):
            lines += measure(layer, runs, options.samples, options.rounds, options.device)
    save(options.out, "\n".join([*lines, ""]), {"device": options.device, "rows": lines[2:]})


if __name__ == "__main__":
    main()

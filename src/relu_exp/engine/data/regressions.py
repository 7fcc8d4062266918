"""Samples of regressions that need no download: measured ones of a package, generated ones."""

from __future__ import annotations

import gzip
import importlib.util
import math
import zlib
from pathlib import Path

import numpy as np
import torch

from relu_exp.core.schema import UsageError
from relu_exp.engine.data.image_files import Arrays
from relu_exp.engine.streams import stream

__all__ = ["diabetes_samples", "friedman1_samples"]


def diabetes_samples() -> Arrays:
    """Return the ten measurements (442, 10) and the targets (442,) that scikit-learn ships.

    Raises:
        UsageError: the package or a file of it is missing or damaged.
    """
    spec = importlib.util.find_spec("sklearn")
    folders = spec.submodule_search_locations if spec else None
    folder = Path(folders[0] if folders else "sklearn", "datasets", "data")
    try:
        inputs, targets = (
            np.array(gzip.decompress((folder / file).read_bytes()).split(), dtype=np.float64)
            for file in ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz")
        )
        return inputs.reshape(len(targets), 10), targets
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UsageError(
            f"the diabetes data in {folder} cannot be read ({error}): install scikit-learn again"
        ) from error


def friedman1_samples(total: int, noise: float) -> Arrays:
    """Return uniform inputs (total, 10) and 10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + noise.

    The last five inputs say nothing. Reference: Friedman 1991, Annals of Statistics 19(1), 37.
    """
    generator = stream(0, "samples")
    x = torch.rand(total, 10, generator=generator, dtype=torch.float64)
    target = 10 * (math.pi * x[:, 0] * x[:, 1]).sin() + 20 * (x[:, 2] - 0.5).square()
    target += 10 * x[:, 3] + 5 * x[:, 4]
    target += noise * torch.randn(total, generator=generator, dtype=torch.float64)
    return x.numpy(), target.numpy()

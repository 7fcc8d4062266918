"""Named random streams: every random number of a run is a function of its own seed."""

from __future__ import annotations

import hashlib

import torch

__all__ = ["stream"]


def stream(seed: int, name: str, *index: int) -> torch.Generator:
    """Return a fresh CPU generator for one use of one seed.

    The same arguments give the same numbers on every device, in every fleet and after every
    resume, because a draw does not depend on earlier ones.

    Args:
        seed: the run's seed.
        name: what the numbers are for: `weights`, `biases`, `order`, `batches`, `probe`, `noise`,
            `split`, `subset`, `samples`, or the name of a check.
        *index: which draw of that name, for instance the layer or the epoch.
    """
    words = "/".join([name, str(seed), *map(str, index)])
    digest = hashlib.blake2b(words.encode(), digest_size=8).digest()
    # torch takes signed 64-bit seeds
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)

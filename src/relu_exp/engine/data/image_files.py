"""Readers of image files: tables in installed packages, IDX files, CIFAR-10."""

from __future__ import annotations

import gzip
import importlib.util
import os
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.schema import UsageError

__all__ = ["Arrays", "cache_folder", "cifar10_images", "idx_images", "packaged_csv", "read_idx"]

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Inputs (samples, ...) and labels (samples,)."""

_DAMAGED = (OSError, EOFError, ValueError, zlib.error)


def packaged_csv(package: str, path: str, num_columns: int) -> Arrays:
    """Return a gzipped CSV table of whole numbers from an installed package; labels are last.

    The package is not imported: its own reader takes ten times as long, or brings in pandas.

    Raises:
        UsageError: the package or its file is missing or damaged.
    """
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    file = Path(folders[0], path) if folders else Path(package, path)
    try:
        text = gzip.decompress(file.read_bytes()).decode().replace("\n", ",")
        table = np.fromstring(text, dtype=np.int64, sep=",").reshape(-1, num_columns)
    except _DAMAGED as error:
        raise UsageError(
            f"{file} of the package {package} cannot be read ({error}): install {package} again"
        ) from error
    return table[:, :-1].astype(np.uint8), table[:, -1]


def cache_folder() -> Path:
    """Return the folder where data are searched and downloaded when no `root` is given."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "relu-exp" if home else Path.home() / ".cache" / "relu-exp"


def read_idx(file: Path) -> np.ndarray[Any, Any]:
    """Return the unsigned bytes of an IDX file, plain or gzipped, in the shape its header states.

    Raises:
        UsageError: the file is damaged or is not an IDX file.

    Reference: LeCun, Cortes, Burges 1998, the MNIST database: file formats.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        zero, kind, num_dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{num_dimensions}I", content, offset=4)
        if (zero, kind) != (0, 8):
            raise ValueError("it is not an IDX file of bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * num_dimensions).reshape(shape)
    except (*_DAMAGED, struct.error) as error:
        raise UsageError(f"{file} is damaged ({error}): delete it and download it again") from error


def idx_images(
    name: str, root: str | None, download: bool, elsewhere: Sequence[Path] = (), hint: str = ""
) -> Arrays:
    """Return training and then test images (samples, rows, columns) with their labels.

    They are searched in `root`/`name`/raw, where torchvision stores them, and in `root` itself.
    Without a root, the cache folder takes its place, and `elsewhere` is searched too.

    Args:
        name: torchvision's name of the data set: MNIST or FashionMNIST.
        root: the folder that holds them, or None.
        download: download them to the root if they are missing.
        elsewhere: more folders to search when no root is given.
        hint: another way to get them, for the error message.

    Raises:
        UsageError: they are missing or damaged, or cannot be downloaded.
    """
    base = Path(root).expanduser() if root else cache_folder()
    folders = [base / name / "raw", base, *([] if root else elsewhere)]
    if download and not any(_idx_files(folder) for folder in folders):
        _torchvision(name, base, train=True, download=True)
    for folder in folders:
        if files := _idx_files(folder):
            images, labels, test_images, test_labels = map(read_idx, files)
            return np.concatenate([images, test_images]), np.concatenate([labels, test_labels])
    raise UsageError(_missing(name, base) + hint)


def _idx_files(folder: Path) -> list[Path]:
    """Return the four IDX files in a folder, preferring gzipped ones, or an empty list."""
    found = []
    for split in ("train", "t10k"):
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
            files = [folder / f"{split}-{kind}{suffix}" for suffix in (".gz", "")]
            found += [file for file in files if file.is_file()][:1]
    return found if len(found) == 4 else []


def cifar10_images(root: str | None, download: bool) -> Arrays:
    """Return CIFAR-10's training and then test images (samples, channels, rows, columns).

    Raises:
        UsageError: they are missing or damaged, or cannot be downloaded.
    """
    base = Path(root).expanduser() if root else cache_folder()
    if not download and not (base / "cifar-10-batches-py").is_dir():
        raise UsageError(_missing("CIFAR10", base))
    splits = [_torchvision("CIFAR10", base, train, download) for train in (True, False)]
    images = np.concatenate([split.data for split in splits]).transpose(0, 3, 1, 2)
    return images, np.concatenate([split.targets for split in splits])


def _torchvision(name: str, root: Path, train: bool, download: bool) -> Any:
    """Return a data set of torchvision."""
    from torchvision import datasets  # imported here because it takes 1.6 s

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CIFAR-10's pickles are older than NumPy 2
            return getattr(datasets, name)(root, train=train, download=download)
    except (*_DAMAGED, RuntimeError) as error:
        reason = " ".join(str(error).split())
        if download:
            raise UsageError(f"{name} cannot be downloaded to {root}: {reason}") from error
        raise UsageError(
            f"{name} in {root} is damaged ({reason}): download it again with dataset.download=true"
        ) from error


def _missing(name: str, base: Path) -> str:
    return (
        f"{name} is not in {base}: name the folder that holds it with dataset.root=FOLDER, "
        "or download it there with dataset.download=true"
    )

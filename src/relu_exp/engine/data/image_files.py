"""Readers of image files: tables in installed packages, IDX files, CIFAR-10."""

from __future__ import annotations

import gzip
import importlib.util
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.absent_data import AbsentDataError
from relu_exp.core.schema import UsageError
from relu_exp.engine.data.places import PLACES

__all__ = ["Arrays", "cifar10_images", "idx_images", "packaged_csv", "read_idx", "where"]

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


def where(name: str, root: str | None = None) -> Path:
    """Return the folder that holds the files of a data set of `PLACES`; nothing is read.

    Raises:
        AbsentDataError: they are in none of the folders that are searched.
    """
    place = PLACES[name]
    if name == "CIFAR10":
        # torchvision checks the files in it before it reads them
        found = [folder for folder in place.folders(root) if folder.name == place.inside]
        found = [folder for folder in found if folder.is_dir()]
    else:
        found = [folder for folder in place.folders(root) if _idx_files(folder)]
    if not found:
        raise place.absent(root)
    return found[0]


def idx_images(name: str, root: str | None, download: bool) -> Arrays:
    """Return training and then test images (samples, rows, columns) with their labels.

    Args:
        name: torchvision's name of the data set: MNIST or FashionMNIST.
        root: the folder that holds them, or None; see `Place.folders`.
        download: download them to the root if they are missing.

    Raises:
        AbsentDataError: they are missing.
        UsageError: they are damaged, or cannot be downloaded.
    """
    try:
        folder = where(name, root)
    except AbsentDataError:
        if not download:
            raise
        _torchvision(name, PLACES[name].base(root), train=True, download=True)
        folder = where(name, root)
    images, labels, test_images, test_labels = map(read_idx, _idx_files(folder))
    return np.concatenate([images, test_images]), np.concatenate([labels, test_labels])


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

    The files are Python pickles: torchvision compares their MD5 sums before it reads them.

    Raises:
        AbsentDataError: they are missing.
        UsageError: they are damaged, or cannot be downloaded.
    """
    base = PLACES["CIFAR10"].base(root) if download else where("CIFAR10", root).parent
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

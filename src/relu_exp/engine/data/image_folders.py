"""Reader of folders of images: one folder of PNG or JPEG for each class."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.naming import printable
from relu_exp.core.schema import UsageError
from relu_exp.engine.data.table_parts import Part, Source

__all__ = ["read_images"]

Array = np.ndarray[Any, Any]

_IMAGES = (".png", ".jpg", ".jpeg")
_GREY, _COLOR = ("1", "L", "LA"), ("P", "RGB", "RGBA", "CMYK", "YCbCr")


def read_images(folder: Path, name: str, source: Source) -> Part:
    """Return the images (samples, channels, rows, columns) of a folder with one for each class.

    Raises:
        UsageError: a class has no image, or images differ in size or are not of 8 bits.
    """
    if source.has_targets:
        raise UsageError(
            f"dataset.task=regression does not apply to {name}: its folders are the classes"
        )
    for setting in ("label", "features", "ignore"):
        if getattr(source, setting) is not None:
            raise UsageError(
                f"dataset.{setting} does not apply to {name}: its folders are the classes"
            )
    classes = sorted(each for each in _visible(folder) if each.is_dir())
    if not classes:
        raise UsageError(f"{name} holds no folders: it needs one of PNG or JPEG for each class")
    images, labels, files = [], [], []
    for place in classes:
        found = sorted(each for each in _visible(place) if each.suffix.lower() in _IMAGES)
        if not found:
            raise UsageError(
                f"{name}/{printable(place.name)} holds no PNG or JPEG; if it is a whole data set, "
                f"name it with dataset.path={name}/{printable(place.name)} or dataset.test_path"
            )
        images += [_image(each) for each in found]
        labels += [place.name] * len(found)
        files += [f"{place.name}/{each.name}" for each in found]
    for file, image in zip(files, images, strict=True):
        if image.shape[1:] != images[0].shape[1:]:
            sizes = [" × ".join(map(str, each.shape[1:])) for each in (images[0], image)]
            raise UsageError(
                f"{name}: {printable(files[0])} has {sizes[0]} pixels and {printable(file)} "
                f"{sizes[1]}: all images must have one size"
            )
    num_channels = max(len(image) for image in images)
    return Part(
        name,
        np.stack([np.broadcast_to(image, (num_channels, *image.shape[1:])) for image in images]),
        np.array(labels, dtype=np.str_),
    )


def _visible(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if not each.name.startswith(".")]


def _image(file: Path) -> Array:
    """Return an image as bytes (channels, rows, columns): one channel if it is grey, else three."""
    from PIL import Image  # imported here because only image files need it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on palettes and very large images
        with Image.open(file) as image:
            if image.mode not in (*_GREY, *_COLOR):
                raise UsageError(
                    f"{printable(str(file))} has pixels of type {image.mode}; expected 8 bits, "
                    "grey or color"
                )
            pixels = np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)

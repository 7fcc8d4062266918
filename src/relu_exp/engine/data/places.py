"""Where the files of well-known data sets lie, and how to get those that are not there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from relu_exp.core.absent_data import DATA_FOLDER, AbsentDataError

__all__ = ["PLACES", "Place", "cache_folder", "data_folder"]


INSTALLED = Path("/usr/share/datasets")
"""Where Debian's packages put data sets."""


def data_folder() -> Path:
    """Return the folder where data are searched and downloaded when no `root` is given.

    It is the one that `RELU_EXP_DATA` names, else the cache folder.
    """
    named = os.environ.get(DATA_FOLDER)
    return Path(named).expanduser() if named else cache_folder()


def cache_folder() -> Path:
    """Return the package's folder in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "relu-exp" if home else Path.home() / ".cache" / "relu-exp"


@dataclass(frozen=True)
class Place:
    """Where the files of one data set are searched.

    `name` is torchvision's, and `inside` where torchvision stores the files in a root. A Debian
    `package` puts them into `INSTALLED` under the name `debian`.
    """

    name: str
    inside: str
    package: str = ""
    debian: str = ""

    def base(self, root: str | None) -> Path:
        """Return the folder that a download goes to."""
        return Path(root).expanduser() if root else data_folder()

    def folders(self, root: str | None) -> list[Path]:
        """Return the folders to search, in this order.

        A root may hold the files themselves. The data folder holds several sets whose files have
        the same names, so there they lie in a folder of the set's name.
        """
        base = self.base(root)
        if root:
            return [base / self.inside, base]
        top = self.inside.split("/")[0]
        names = dict.fromkeys(filter(None, (self.inside, top, self.debian)))
        installed = [INSTALLED / self.debian] if self.debian else []
        return [*(base / name for name in names), *installed]

    def absent(self, root: str | None) -> AbsentDataError:
        """Return the error that says that the files are in none of the folders."""
        base, top = self.base(root), self.inside.split("/")[0]
        install = f"`apt install {self.package}`" if self.package else ""
        if root:
            ways = ["name the folder that holds it with dataset.root=FOLDER"]
            ways += [f"leave dataset.root out after {install}"] if install else []
        else:
            ways = [install] if install else []
            ways.append(
                f"name the folder that holds {top} with dataset.root=FOLDER or the variable "
                f"{DATA_FOLDER}"
            )
        ways.append("download it there with dataset.download=true")
        message = f"{self.name} is not in {base}: {', or '.join(ways)}"
        return AbsentDataError(message, package=self.package, folder=top)


PLACES = {
    place.name: place
    for place in (
        Place("MNIST", "MNIST/raw"),
        Place("FashionMNIST", "FashionMNIST/raw", "dataset-fashion-mnist", "fashion-mnist"),
        Place("CIFAR10", "cifar-10-batches-py"),
    )
}

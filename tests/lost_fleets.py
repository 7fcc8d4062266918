"""A plugin that notes each fleet that was lost on its way, to see that nodes were not idle."""

import os
from pathlib import Path

from relu_exp.launchers import ray

_lose = ray._Convoy.lose


def _noted(convoy, fleet, error):
    with Path(os.environ["LOST_FLEETS"]).open("a") as file:
        file.write(f"{fleet.fleet_id}\n")
    _lose(convoy, fleet, error)


ray._Convoy.lose = _noted

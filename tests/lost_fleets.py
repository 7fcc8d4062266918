"""A plugin that notes each fleet that was lost on its way, to see that nodes were not idle."""

import os
from pathlib import Path

from relu_exp.launchers import ray

_retry = ray._RayScheduler.retry


def _noted(scheduler, fleet, error):
    with Path(os.environ["LOST_FLEETS"]).open("a") as file:
        file.write(f"{fleet.fleet_id}\n")
    _retry(scheduler, fleet, error)


ray._RayScheduler.retry = _noted

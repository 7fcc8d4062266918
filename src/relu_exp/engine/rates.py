"""Schedules: what the learning rate is multiplied by at each step of a training.

A schedule depends on the step and on the number of steps alone. The same formula serves every run,
so that a run's rates do not depend on its fleet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor

from relu_exp.core.schema import RunConfig
from relu_exp.engine.optimizers import Optimizer

__all__ = ["FACTORS", "set_rates"]

_WARM_UP_SHARE = 0.1
"""Share of the steps in which a warm-up reaches the full rate."""

Factor = Callable[[int, int], float]
"""(step from 0, number of steps) → what the learning rate is multiplied by."""


def _constant(step: int, num_steps: int) -> float:
    return 1.0


def _step(step: int, num_steps: int) -> float:
    """A tenth after half of the steps, and a tenth of that after three quarters.

    He, Zhang, Ren, Sun 2016, CVPR, section 4.2; as by torch.optim.lr_scheduler.MultiStepLR.
    """
    return 0.1 ** sum(step >= num_steps * share for share in (0.5, 0.75))


def _cosine(step: int, num_steps: int) -> float:
    """Half a cosine from 1 to 0.

    Loshchilov, Hutter 2017, arXiv:1608.03983; as by torch.optim.lr_scheduler.CosineAnnealingLR.
    """
    return (1 + math.cos(math.pi * step / num_steps)) / 2


def _warm_up(step: int, num_steps: int) -> float:
    """Linear growth over the first tenth of the steps, then 1.

    Goyal et al. 2017, arXiv:1706.02677; as by torch.optim.lr_scheduler.LinearLR.
    """
    return min(1.0, (step + 1) / _num_warm_up_steps(num_steps))


def _warm_up_cosine(step: int, num_steps: int) -> float:
    """A warm-up, then half a cosine over the steps that are left."""
    begin = _num_warm_up_steps(num_steps)
    if step < begin:
        return _warm_up(step, num_steps)
    return _cosine(step - begin, num_steps - begin)


def _num_warm_up_steps(num_steps: int) -> int:
    return math.ceil(num_steps * _WARM_UP_SHARE)


FACTORS: Mapping[str, Factor] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "warm_up": _warm_up,
    "warm_up_cosine": _warm_up_cosine,
}
"""Schedule → its factor; the names are `core.run_keys.SCHEDULES`."""


def set_rates(optimizer: Optimizer, rates: Tensor, run: RunConfig, step: int) -> None:
    """Set the learning rates of an optimizer for one step, in place.

    A recorded step reads them where they lie, and need not be recorded again.

    Args:
        optimizer: has `learning_rates` (runs,).
        rates: the learning rates as configured (runs,).
        run: any run of the fleet.
        step: the step that is taken next.
    """
    if run.schedule != "constant":
        factor = FACTORS[run.schedule](step, run.num_steps)
        optimizer.learning_rates.copy_(rates * factor)

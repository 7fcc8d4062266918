"""Costs: how much work of each kind a fleet is, and how long it takes on a measured machine."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from relu_exp.core.schema import DEFAULT_PRECISION, Choice, RunConfig
from relu_exp.planning.fleets import FLEET_SIZES, Fleet, num_rows, shape

if TYPE_CHECKING:
    from relu_exp.engine.networks import Layer, Network

__all__ = ["PHASES", "TYPICAL", "Costs", "fleet_seconds", "sweep_seconds", "work"]

Amounts: TypeAlias = Mapping[str, float]
"""Kind of work → amount; the last word of some kinds names the activation or optimizer."""

_MANY_UNITS = 350
"""Number of units above which some are usually dead, as observed in trained networks."""


@dataclass(frozen=True)
class Costs:
    """How fast one machine trains, and the fleet size and number of workers that suit it."""

    seconds: Mapping[str, float]
    """Kind of work → seconds per unit for a worker that has the machine to itself."""
    fleet_size: int
    """Runs per fleet; more would hardly be faster."""
    num_workers: int
    """Processes of one thread each; more would hardly be faster."""
    speeds: Mapping[int, float]
    """Number of processes → their speedup over one."""
    start_seconds: float
    """Seconds until the first worker process trains."""

    def fleet(self, fleet: Fleet) -> float:
        """Return the seconds of a fleet on a worker that has the machine to itself."""
        return sum(amount * self._of_kind(kind) for kind, amount in work(fleet).items())

    def speed(self, num_workers: int) -> float:
        """Return the speedup of `num_workers` processes over one."""
        counts = [1, *sorted(count for count in self.speeds if count > 1)]
        speeds = [1.0, *(self.speeds[count] for count in counts[1:])]
        place = bisect_left(counts, num_workers)
        if place in (0, len(counts)):
            # more processes than cores take turns
            return speeds[min(place, len(counts) - 1)]
        share = (num_workers - counts[place - 1]) / (counts[place] - counts[place - 1])
        return (1 - share) * speeds[place - 1] + share * speeds[place]

    def _of_kind(self, kind: str) -> float:
        if kind in self.seconds:
            return self.seconds[kind]
        # assume that a kind which was not measured, such as a plugin's activation, costs as much as
        # the most expensive one of its family
        like = kind.rpartition(" ")[0]
        alike = [s for other, s in self.seconds.items() if other.startswith(f"{like} ")]
        return max(alike, default=0.0)


TYPICAL = {
    device: Costs(
        seconds={
            **dict.fromkeys(
                ("flops learned", "flops seen", "flops probed", "flops convolved"), 1 / rate
            ),
            **dict.fromkeys(("layers learned together", "layers learned apart"), 2e7 / rate),
            **dict.fromkeys(("layers probed together", "layers probed apart"), 2e7 / rate),
        },
        fleet_size=FLEET_SIZES[device],
        num_workers=1,
        speeds={1: 1.0},
        start_seconds=0.0,
    )
    for device, rate in (("cpu", 4e10), ("cuda", 5e12))
}
"""Costs of a typical machine, for one that was not measured: off by a factor of two or three."""


def fleet_seconds(fleets: Sequence[Fleet], costs: Costs | None = None) -> list[float]:
    """Return the time of each fleet on a worker that has the machine to itself.

    Args:
        fleets: what is to train.
        costs: those of the machine; a typical one if it was not measured.
    """
    known: dict[Hashable, float] = {}
    times = []
    for fleet in fleets:
        key = (shape(fleet.runs[0]), len(fleet.runs), _num_seeds(fleet), _num_drawn(fleet))
        if key not in known:
            known[key] = (costs or TYPICAL["cpu"]).fleet(fleet)
        times.append(known[key])
    return times


def sweep_seconds(fleets: Sequence[Fleet], costs: Costs, speed: float) -> float:
    """Return the time that fleets take where together they train `speed` times as fast as one."""
    if not fleets:
        return 0.0
    times = fleet_seconds(fleets, costs)
    # never faster than its longest fleet on one worker
    return costs.start_seconds + max(sum(times) / speed, *times)


def work(fleet: Fleet) -> Amounts:
    """Return the amount of each kind of work of a fleet, from its start to its saved part."""
    run = fleet.runs[0]
    probes, evaluations = set(run.probe_steps), set(run.evaluation_steps)
    times = {
        "start": 1,
        "step": run.num_steps,
        "evaluation": len(evaluations),
        "probe": len(probes),
        "search": len(probes & evaluations),
        "save": 1,
    }
    found: dict[str, float] = defaultdict(float)
    for phase, number in times.items():
        for kind, amount in PHASES[phase](fleet).items():
            found[kind] += number * amount
    return found


def _start(fleet: Fleet) -> Amounts:
    run, size = fleet.runs[0], len(fleet.runs)
    has_theory = _network(run).is_plain(run.network.as_dict())
    return {
        "starts": 1,
        "weights drawn": size * _num_weights(run),
        f"predictions {run.activation.name}": has_theory * _num_drawn(fleet) * _num_hidden(run),
    }


def _step(fleet: Fleet) -> Amounts:
    from relu_exp.engine.data.datasets import shape_of

    run, data = fleet.runs[0], shape_of(fleet.runs[0].dataset)
    batch = min(run.batch_size, data.num_train)
    optimizer = run.optimizer.name if _is_plain(run) else f"{run.optimizer.name}+"
    return {
        "steps": 1,
        f"layers learned {'together' if _is_chained(run) else 'apart'}": len(_layers(run)),
        "inputs learned": _num_seeds(fleet) * batch * data.num_features,
        f"updates {optimizer}": len(fleet.runs) * _num_weights(run),
        **_passes(fleet, batch, 3, "learned"),
    }


def _evaluation(fleet: Fleet) -> Amounts:
    from relu_exp.engine.data.datasets import DATASETS, shape_of
    from relu_exp.engine.fleet.batches import TRAIN_EVALUATION_SAMPLES

    run = fleet.runs[0]
    entry, data = DATASETS[run.dataset.name], shape_of(run.dataset)
    from_train = min(TRAIN_EVALUATION_SAMPLES, data.num_train)
    others = sum(entry.layout(**entry.own(run.dataset)).sizes[1:])
    inputs = _num_seeds(fleet) * from_train * data.num_features
    seen = _passes(fleet, from_train + others, 1, "seen")
    return {"evaluations": 1, "inputs seen": inputs, **seen}


def _probe(fleet: Fleet) -> Amounts:
    run, size = fleet.runs[0], len(fleet.runs)
    return {
        f"layers probed {'together' if _has_kernel(run) else 'apart'}": len(_layers(run)),
        "rows probed": size * len(_layers(run)),
        "weights probed": size * _num_weights(run),
        **_passes(fleet, run.probe_samples, 3, "probed"),
    }


def _search(fleet: Fleet) -> Amounts:
    from relu_exp.engine.data.datasets import shape_of
    from relu_exp.engine.fleet.batches import TRAIN_EVALUATION_SAMPLES

    run, num_train = fleet.runs[0], shape_of(fleet.runs[0].dataset).num_train
    if not _can_die(run.activation):
        return {}
    # most units are seen active during evaluation; only the others need all training samples
    num_units = sum(layer.shape[0] for layer in _layers(run)[:-1])
    share = 1 - math.exp(-((num_units / _MANY_UNITS) ** 4))
    rest = max(0, num_train - TRAIN_EVALUATION_SAMPLES)
    return _passes(fleet, round(share * rest), 1, "seen")


def _save(fleet: Fleet) -> Amounts:
    return {"parts": 1, "rows": len(fleet.runs) * sum(num_rows(fleet.runs[0]).values())}


PHASES: Mapping[str, Callable[[Fleet], Amounts]] = {
    "start": _start,
    "step": _step,
    "evaluation": _evaluation,
    "probe": _probe,
    "search": _search,
    "save": _save,
}
"""Phase of a fleet → the work of one such phase."""


def _passes(fleet: Fleet, samples: int, passes: int, done: str) -> Amounts:
    """Return the work of passes over samples; a training step has three passes."""
    run, size = fleet.runs[0], len(fleet.runs)
    found: dict[str, float] = defaultdict(float)
    for index, layer in enumerate(layers := _layers(run)):
        # the first layer has no gradient by its inputs
        times = passes - 1 if index == 0 and passes > 1 else passes
        flops = size * times * 2 * math.prod(layer.shape) * layer.positions * samples
        values = size * layer.shape[0] * layer.positions * samples
        if len(layer.shape) > 2:
            # evaluating large convolutions takes too long to measure: assume the rate of training
            found["flops convolved"] += flops
            found[f"maps {done}"] += values
            continue
        found[f"flops {done}"] += flops
        if run.precision == "bfloat16":
            # operands of each product: the weights, and the inputs or gradients
            found["values rounded"] += times * (values + size * math.prod(layer.shape))
        if index < len(layers) - 1:
            found[f"values {done} {run.activation.name}"] += values
        else:
            found[f"outputs {done}"] += values
    return found


def _can_die(activation: Choice) -> bool:
    """Return whether an activation has zero slope at -1, so that units can be dead."""
    import torch

    from relu_exp.engine.activations import value_and_derivative

    point = torch.tensor([-1.0], dtype=torch.float64)
    try:
        _, derivative = value_and_derivative(activation, point)
        return not derivative.any()
    except Exception:
        # a plugin's function may raise anything: so does the training, whose runs then fail
        return False


def _is_plain(run: RunConfig) -> bool:
    settings = run.optimizer.as_dict()
    return not (settings.get("momentum") or settings.get("weight_decay") or run.gradient_clip)


def _is_chained(run: RunConfig) -> bool:
    """Return whether a step is a single node of autograd, or none: less work for every layer."""
    from relu_exp.engine.ops.kernels import RULES

    if _has_kernel(run):
        return True
    is_exact = run.precision != "bfloat16"
    fused_update = run.optimizer.name == "sgd" and _is_plain(run)
    is_plain = _network(run).is_plain(run.network.as_dict())
    return is_plain and fused_update and is_exact and run.activation.name in RULES


def _has_kernel(run: RunConfig) -> bool:
    """Return whether a compiled kernel differentiates such a network on a CPU."""
    from relu_exp.engine.fleet.compiled_mlp import KINDS
    from relu_exp.engine.ops.compiled import library

    settings = run.network.as_dict()
    is_plain = _network(run).is_plain(settings) and settings["output"] == "logits"
    is_exact = run.precision == DEFAULT_PRECISION
    return is_plain and is_exact and run.activation.name in KINDS and library() is not None


def _network(run: RunConfig) -> Network:
    from relu_exp.engine.networks import NETWORKS

    return NETWORKS[run.network.name]


def _layers(run: RunConfig) -> list[Layer]:
    # loads torch
    from relu_exp.engine.networks import layers_of

    return [layer for layer in layers_of(run) if layer.is_used]


def _num_hidden(run: RunConfig) -> int:
    return len(_layers(run)) - 1


def _num_weights(run: RunConfig) -> int:
    return sum(math.prod(layer.shape) for layer in _layers(run))


def _num_seeds(fleet: Fleet) -> int:
    return len({run.seed for run in fleet.runs})


def _num_drawn(fleet: Fleet) -> int:
    """Return the number of different initial networks of a fleet; each has its own predictions."""
    return len({(run.seed, run.initializer, run.activation) for run in fleet.runs})

"""Costs: a fleet's work counts all that takes time, and its estimate is what its parts take."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from relu_exp.engine.data import datasets
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import build
from relu_exp.engine.networks import forward_flops, layers_of
from relu_exp.engine.ops import compiled
from relu_exp.engine.optimizers import OPTIMIZERS
from relu_exp.planning.costs import PHASES, TYPICAL, Costs, sweep_seconds, work
from relu_exp.planning.fleets import Fleet
from relu_exp.planning.plan import plan

from configs import make_run

UNITS = Costs(seconds={}, fleet_size=16, num_workers=2, speeds={1: 1.0, 2: 1.8}, start_seconds=3)


def costs(**changes):
    """Return costs of 1 ms for each kind of work of any fleet in these tests, and those given."""
    kinds = [kind for phase in PHASES.values() for kind in phase(Fleet((make_run(),)))]
    seconds = dict.fromkeys(kinds, 1e-3) | changes.pop("seconds", {})
    return Costs(**{**vars(UNITS), **changes, "seconds": seconds})


def fleet(size=1, **keys):
    return Fleet(tuple(make_run(seed=seed, **keys) for seed in range(size)))


@pytest.mark.parametrize(
    "changes",
    [
        {"depth": 3},
        {"width": 32},
        {"num_steps": 8},
        {"batch_size": 64},
        {"probe_steps": (0, 1, 4)},
        {"evaluation_steps": (0, 1, 4)},
        {"size": 2},
        {"network": "residual_mlp", "depth": 6},
        {"precision": "bfloat16"},
    ],
)
def test_an_estimate_grows_with_everything_that_takes_time(changes):
    assert costs().fleet(fleet(**changes)) > costs().fleet(fleet())


def test_the_work_of_a_fleet_is_that_of_its_phases():
    one = fleet(num_steps=4, probe_steps=(), evaluation_steps=())
    most = fleet(num_steps=5, probe_steps=(), evaluation_steps=())
    more = {kind: most_of - work(one)[kind] for kind, most_of in work(most).items()}
    step = PHASES["step"](one)
    assert {kind: n for kind, n in more.items() if n and kind != "rows"} == pytest.approx(
        {kind: n for kind, n in step.items() if n}
    )


def flops(run):
    """Count the operations of a run: three passes to learn, of which the first layer skips one."""
    forward, first = forward_flops(run), layers_of(run)[0]
    learning = 3 * forward - 2 * math.prod(first.shape) * first.positions
    num_learned = run.batch_size * run.num_steps + run.probe_samples * len(run.probe_steps)
    # 1,000 samples of each split; none are searched for dead units where no probe is
    return learning * num_learned + forward * 2000 * len(run.evaluation_steps)


def test_operations_are_those_of_an_independent_count():
    run = make_run(probe_steps=(1, 2), evaluation_steps=(3, 4))
    assert datasets.shape_of(run.dataset).num_train == 4000
    counted = sum(n for kind, n in work(Fleet((run,))).items() if kind.startswith("flops"))
    assert counted == pytest.approx(flops(run), rel=0.01)


@pytest.mark.parametrize("network", ["small_cnn", "document_cnn"])
def test_convolutions_are_work_of_their_own(network):
    found = work(fleet(network=network, depth=3 if network == "small_cnn" else 9, width=None))
    assert found["flops convolved"] > found["flops learned"] > 0
    assert found["maps learned"] > 0


def test_what_was_not_measured_counts_as_the_dearest_of_its_like():
    known = costs(seconds={"values learned relu": 1e-3, "values learned mish": 5e-3})
    as_dear = costs(seconds={"values learned relu": 1e-3, "values learned tanh": 5e-3})
    elsewhere = {"values seen tanh": 1e-3, "predictions tanh": 1e-3}
    tanh = fleet(activation="tanh")
    as_dear.seconds.update(elsewhere)
    known.seconds.update(elsewhere)
    assert known.fleet(tanh) == pytest.approx(as_dear.fleet(tanh))


@pytest.mark.parametrize(
    ("speeds", "num_workers", "speed"),
    [
        ({1: 1.0, 2: 1.8}, 1, 1.0),
        ({1: 1.0, 2: 1.8}, 2, 1.8),
        ({1: 1.0, 2: 1.8}, 5, 1.8),
        ({1: 1.0, 4: 3.0, 8: 3.4}, 3, 1 + 2 * 2 / 3),
        ({1: 1.0, 4: 3.0, 8: 3.4}, 6, 3.2),
        ({1: 1.0}, 3, 1.0),
    ],
)
def test_processes_that_share_a_machine_are_slower_than_alone(speeds, num_workers, speed):
    assert costs(speeds=speeds).speed(num_workers) == pytest.approx(speed)


def test_the_estimate_shares_the_work_between_workers():
    fleets = plan([make_run(seed=seed) for seed in range(64)], (), 4).fleets
    alone, shared = (sweep_seconds(fleets, costs(), speed) - 3 for speed in (1, 8))
    assert shared == pytest.approx(alone / 8)


def test_an_estimate_is_never_shorter_than_its_longest_fleet():
    fleets = plan([make_run(seed=seed) for seed in range(2)], (), 2).fleets
    assert sweep_seconds(fleets, costs(), 1000) == sweep_seconds(fleets, costs(), 1)
    assert (
        sweep_seconds(fleets, TYPICAL["cpu"], 1000) == sweep_seconds(fleets, TYPICAL["cpu"], 1) > 0
    )


def test_nothing_takes_no_time():
    assert sweep_seconds((), costs(), 1) == sweep_seconds((), TYPICAL["cpu"], 1) == 0


def test_a_network_is_predicted_once_however_many_learning_rates_it_has():
    rates = itertools.product((0.1, 0.2, 0.4), range(2))
    runs = tuple(make_run(learning_rate=rate, seed=seed) for rate, seed in rates)
    assert work(Fleet(runs))["predictions relu"] == work(fleet(2))["predictions relu"]


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"width": 18},
        {"batch_size": 30},
        {"depth": 0},
        {"activation": "gelu"},
        {"optimizer": "adam"},
        {"optimizer": "rmsprop"},
        {"optimizer__momentum": 0.9},
        {"optimizer__weight_decay": 0.1},
        {"network": "residual_mlp"},
        {"network__normalization": "batch"},
        {"network__dropout": 0.5},
        {"network": "small_cnn", "depth": 3, "width": None},
    ],
)
@pytest.mark.parametrize("kernels", ["on", "off"])
def test_layers_are_counted_together_where_a_step_takes_them_together(keys, kernels, monkeypatch):
    monkeypatch.setenv(compiled.OFF, kernels)
    run = make_run(**keys)
    batches, stack = Batches(run, "cpu", 64), build([run])
    optimizer = OPTIMIZERS[run.optimizer.name].make(torch.ones(1), **run.optimizer.as_dict())
    stack.forward(
        batches.at([0], batches.sample_indices([0], range(1))[0]),
        fused_update=optimizer.fused_update,
    )
    amounts = work(Fleet((replace(run, probe_steps=(0,)),)))
    counted = "layers learned together" in amounts
    assert counted == (stack.is_differentiated_by_kernel or bool(stack._fused_mlps))
    assert ("layers probed together" in amounts) == stack.is_differentiated_by_kernel

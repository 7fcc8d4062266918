"""The plan: every due run is trained exactly once, with runs of its own shape, longest first."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.planning.costs import fleet_seconds
from relu_exp.planning.fleets import Fleet, num_bytes
from relu_exp.planning.plan import plan

from configs import make_run


def sweep(**axes):
    return [
        make_run(**dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


@given(
    num_seeds=st.integers(1, 9),
    depths=st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True),
    rates=st.lists(st.sampled_from([0.001, 0.01, 0.1, 1.0]), min_size=1, unique=True),
    fleet_size=st.integers(1, 20),
    num_workers=st.integers(1, 70),
    data=st.data(),
)
def test_every_due_run_is_planned_exactly_once(
    num_seeds, depths, rates, fleet_size, num_workers, data
):
    runs = sweep(depth=depths, learning_rate=rates, seed=range(num_seeds))
    finished = data.draw(st.sets(st.sampled_from([run.run_id for run in runs])))
    made = plan(runs, finished, fleet_size, num_workers)
    planned = [run.run_id for fleet in made.fleets for run in fleet.runs]
    assert sorted(planned) == sorted(run.run_id for run in runs if run.run_id not in finished)
    assert made.num_due == len(planned)
    assert made.num_finished == len(finished)
    assert made.num_runs == len(runs)
    assert all(1 <= len(fleet.runs) <= fleet_size for fleet in made.fleets)
    assert all(len({run.depth for run in fleet.runs}) == 1 for fleet in made.fleets)
    for depth in depths:
        sizes = [len(fleet.runs) for fleet in made.fleets if fleet.runs[0].depth == depth]
        assert not sizes or max(sizes) - min(sizes) <= 1
    seconds = fleet_seconds(made.fleets)
    assert seconds == sorted(seconds, reverse=True)


def test_fleets_of_small_networks_are_larger_unless_a_size_is_stated():
    small = sweep(width=[3], depth=[1], dataset=["moons"], seed=range(128))
    usual = sweep(width=[100], depth=[5], seed=range(128))
    for runs, size in ((small, 64), (usual, 16)):
        assert {len(fleet.runs) for fleet in plan(runs, (), 16, grows=True).fleets} == {size}
        assert {len(fleet.runs) for fleet in plan(runs, (), 16).fleets} == {16}
    # what keeps all workers busy goes before it
    assert len(plan(small, (), 16, num_workers=4, grows=True).fleets) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"initializer": "xavier_uniform"},
        {"initializer": ("he_normal", {"mode": "fan_out"})},
        {"learning_rate": 0.5},
        {"seed": 7},
    ],
)
def test_runs_of_one_shape_train_together(changes):
    (fleet,) = plan([make_run(), make_run(**changes)], (), 16).fleets
    assert len(fleet.runs) == 2


def test_numbers_of_an_activation_train_together_and_its_words_do_not():
    slopes = [make_run(activation=("leaky_relu", {"negative_slope": a})) for a in (0.01, 0.2)]
    assert len(plan(slopes, (), 16).fleets) == 1
    forms = [make_run(activation=("prelu", {"per": per})) for per in ("layer", "unit")]
    assert len(plan(forms, (), 16).fleets) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "tanh"},
        {"network": "residual_mlp"},
        {"dataset": "digits"},
        {"depth": 3},
        {"width": 9},
        {"batch_size": 16},
        {"num_steps": 5},
        {"probe_steps": (0,)},
        {"probe_samples": 8},
        {"evaluation_steps": (0, 4)},
    ],
)
def test_runs_of_other_shapes_train_apart(changes):
    made = plan([make_run(), make_run(**changes)], (), 16)
    assert len(made.fleets) == 2


def test_runs_of_one_seed_lie_side_by_side():
    runs = sweep(learning_rate=[0.1, 0.2, 0.3, 0.4], seed=range(3))
    seeds = [[run.seed for run in fleet.runs] for fleet in plan(runs, (), 4).fleets]
    assert sorted(seeds) == [[0] * 4, [1] * 4, [2] * 4]


def test_fleets_become_smaller_where_workers_would_idle():
    runs = sweep(seed=range(16))
    assert [len(fleet.runs) for fleet in plan(runs, (), 16, num_workers=2).fleets] == [8, 8]


def test_nothing_is_left_where_all_is_finished():
    runs = sweep(seed=range(3))
    made = plan(runs, {run.run_id for run in runs}, 16, num_workers=2)
    assert made.fleets == ()
    assert made.num_due == 0
    assert num_bytes(made.fleets) == 0


def test_a_fleet_is_named_by_its_runs():
    first, second = Fleet((make_run(),)), Fleet((make_run(seed=1),))
    assert first.fleet_id == Fleet((make_run(),)).fleet_id
    assert first.fleet_id != second.fleet_id


def test_cost_grows_with_everything_that_takes_time():
    (least,) = fleet_seconds([Fleet((make_run(),))])
    for changes in (
        {"depth": 3},
        {"width": 32},
        {"num_steps": 8},
        {"batch_size": 64},
        {"probe_steps": (0, 1, 4)},
        {"evaluation_steps": (0, 1, 4)},
    ):
        assert fleet_seconds([Fleet((make_run(**changes),))]) > [least]


def test_a_fleet_under_way_goes_on_as_it_is_before_all_others():
    runs = sweep(seed=range(8))
    begun = [run.run_id for run in (runs[5], runs[1], runs[6])]
    made = plan(runs, {runs[0].run_id}, 16, num_workers=2, under_way=[begun])
    assert [run.run_id for run in made.fleets[0].runs] == begun
    assert sorted(run.seed for fleet in made.fleets for run in fleet.runs) == list(range(1, 8))
    assert (made.num_due, made.num_finished) == (7, 1)


@pytest.mark.parametrize("finished", [0, 1])
def test_a_fleet_that_is_not_due_as_a_whole_is_cut_anew(finished):
    runs = sweep(seed=range(4))
    ids = [run.run_id for run in runs]
    under_way = [[ids[finished], ids[2]], ["unknown", ids[3]]]
    made = plan(runs, {ids[finished]}, 16, under_way=under_way)
    assert [len(fleet.runs) for fleet in made.fleets] == [3]


def test_runs_of_other_shapes_never_go_on_together():
    runs = [make_run(), make_run(depth=3)]
    made = plan(runs, (), 16, under_way=[[run.run_id for run in runs]])
    assert len(made.fleets) == 2

"""What must hold of the configuration: sweeps that mean what is written, errors for people."""

import math
import re
import time
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_exp.config import Sweep, experiment_names, experiments, sweeps
from relu_exp.config.expansion import dimensions
from relu_exp.config.files import BUDGETS
from relu_exp.config.grammar import Range, parse_override
from relu_exp.config.schedules import check_schedule, resolve_schedule
from relu_exp.core.schema import RunConfig, UsageError
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.evidence.figures import FIGURES

BASE = """
title: a sweep
overrides: {dataset: gaussian, dataset.num_samples: 50, dataset.num_features: 4, num_steps: 4}
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.yaml"
    path.write_text(BASE)
    return str(path)


def one(name: str, *overrides: str, budget: str | None = None) -> Sweep:
    (sweep,) = sweeps([name], overrides, budget)
    return sweep


def runs_of(name: str, *overrides: str, budget: str | None = None) -> list[RunConfig]:
    return one(name, *overrides, budget=budget).runs()


def ids(runs) -> set[str]:
    return {run.run_id for run in runs}


def choices(runs, part: str) -> list[tuple[str, dict]]:
    found = (getattr(run, part) for run in runs)
    return [(choice.name, choice.as_dict()) for choice in dict.fromkeys(found)]


# Experiments that come with the package ------------------------------------------------------


@pytest.mark.parametrize("budget", [None, *BUDGETS])
@pytest.mark.parametrize("experiment", experiments(), ids=lambda each: each.name)
def test_every_experiment_composes_at_every_budget(experiment, budget):
    if budget in experiment.skipped_in:
        # what decides nothing in so little time may be left out of the smallest budget only
        assert budget == BUDGETS[0]
        return
    sweep = one(experiment.name, budget=budget)
    runs = sweep.runs()
    assert len(runs) == len(ids(runs)) <= sweep.num_runs
    assert sweep.question.endswith("?")
    assert sweep.figures or sweep.studies
    assert set(sweep.figures) <= set(FIGURES)


def test_the_documents_questions_are_all_there_with_titles_and_default_first():
    names = [experiment.name for experiment in experiments()]
    assert names[0] == "default"
    assert {
        "activation-functions",
        "activation-histograms",
        "vanishing-gradients",
        "dying-relu",
        "convergence-speed",
        "depth-limit",
        "document-cnn",
    } <= set(names)
    assert all(experiment.title for experiment in experiments())


def test_an_experiment_may_be_no_part_of_a_budget(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("title: t\nsweep: {seed: [0]}\nbudgets: {quick: skip, full: {seed: [0, 1]}}\n")
    assert len(runs_of(str(path), budget="full")) == 2
    assert len(runs_of(str(path))) == 1
    with pytest.raises(UsageError, match="valid: --budget standard, --budget full, no --budget"):
        sweeps([str(path)], budget="quick")


def test_no_name_is_the_default_sweep_of_720_runs():
    (sweep,) = sweeps()
    assert sweep.name == "default"
    assert sweep.num_runs == len(sweep.runs()) == 5 * 4 * 3 * 4 * 3
    assert list(sweep.axes) == ["activation", "initializer", "depth", "learning_rate", "seed"]


@pytest.mark.parametrize("name", experiment_names())
def test_the_full_budget_has_all_that_claims_may_ask_of_the_standard_one(name):
    standard, full = (one(name, budget=budget).axes for budget in ("standard", "full"))
    for axis, labels in standard.items():
        if axis != "learning_rate":  # each arm gets its best of those tried
            assert {*labels} <= {*full[axis]}, axis


def test_the_standard_budget_has_at_least_eight_seeds_wherever_anything_is_random():
    for name in experiment_names():
        seeds = {run.seed for run in runs_of(name, budget="standard")}
        is_random = seeds and name != "activation-functions"
        assert len(seeds) >= 8 or not is_random


def test_the_histograms_use_the_documents_networks():
    runs = runs_of("activation-histograms", budget="standard")
    shapes = {(run.depth, run.width, run.dataset["num_features"]) for run in runs}
    assert shapes == {(5, 100, 100), (10, 500, 500)}


def test_the_example_in_the_docs_is_an_experiment(write):
    page = (Path(__file__).parents[1] / "docs" / "add-an-experiment.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = write(text, "leaks.yaml")
    # relu only at depth 10, leaky_relu with two slopes at both depths
    assert len(runs_of(path)) == (1 + 2 * 2) * 3 * 5
    assert len(runs_of(path, "seed=0", "depth=10")) == 3 * 3
    assert {run.num_steps for run in runs_of(path, budget="quick")} == {50}


# What is written and what it means -----------------------------------------------------------


def test_the_sweep_in_the_design_is_128_runs():
    overrides = (
        "activation=relu,elu",
        "initializer=normal",
        "initializer.std=0.01,1",
        "depth=5,20",
        "learning_rate=0.01,0.1",
        "seed=range(8)",
    )
    assert len(runs_of("default", *overrides)) == 128


def test_presets_are_the_registry_entry_with_their_settings(base):
    runs = runs_of(base, "initializer=small_normal,unit_normal")
    assert choices(runs, "initializer") == [("normal", {"std": 0.01}), ("normal", {"std": 1.0})]


def test_a_preset_and_the_same_entry_written_out_are_one_run(base):
    assert ids(runs_of(base, "initializer=small_normal")) == ids(
        runs_of(base, "initializer=normal", "initializer.std=0.01")
    )


def test_a_setting_applies_to_those_choices_that_have_it(base):
    sweep = one(base, "activation=relu,leaky_relu", "activation.negative_slope=0.01,0.2")
    assert choices(sweep.runs(), "activation") == [
        ("relu", {}),
        ("leaky_relu", {"negative_slope": 0.01}),
        ("leaky_relu", {"negative_slope": 0.2}),
    ]
    assert sweep.num_runs == 3


def test_glob_names_the_options_of_a_group(base):
    runs = runs_of(base, "activation=glob(*elu,exclude=*relu)")
    assert [name for name, _ in choices(runs, "activation")] == ["elu", "selu", "gelu"]
    every = runs_of(base, "activation=glob(*)")
    assert {name for name, _ in choices(every, "activation")} == set(ACTIVATIONS)


@pytest.mark.parametrize(
    ("override", "seeds"),
    [
        ("seed=3", [3]),
        ("seed=3,1,2", [3, 1, 2]),
        ("seed=choice(1,2)", [1, 2]),
        ("seed=range(3)", [0, 1, 2]),
        ("seed=range(1,10,4)", [1, 5, 9]),
        ("seed=range(3,0,-1)", [3, 2, 1]),
        ("seed=sort(3,1)", [1, 3]),
        ("seed=shuffle(range(3))", [0, 1, 2]),
        ("seed=tag(a,choice(1,2))", [1, 2]),
        ("seed=1e1", [10]),
    ],
)
def test_axes_follow_hydras_grammar(base, override, seeds):
    assert [run.seed for run in runs_of(base, override)] == seeds


def test_a_range_of_floats_is_as_written(base):
    runs = runs_of(base, "learning_rate=range(0.1,0.5,0.1)")
    assert [run.learning_rate for run in runs] == [0.1, 0.2, 0.3, 0.4]


def test_values_beyond_ascii_can_be_quoted(base):
    (run,) = runs_of(base, "dataset=mnist", 'dataset.root="/tmp/데이터 (1)"')
    assert run.dataset["root"] == "/tmp/데이터 (1)"


def test_yaml_numbers_without_a_dot_are_numbers(write):
    path = write("title: x\nsweep: {learning_rate: [1e-3, 1e-2]}")
    assert [run.learning_rate for run in runs_of(path)] == [0.001, 0.01]


def test_keys_may_be_nested_in_files(write):
    path = write("title: x\noverrides: {probes: {steps: [0, 3]}, initializer: {gain: 2}}")
    (run,) = runs_of(path)
    assert run.probe_steps == (0, 3)
    assert run.initializer["gain"] == 2.0


def test_a_newly_registered_entry_is_an_option_at_once(base):
    ACTIVATIONS.add(replace(ACTIVATIONS["relu"], name="relu_again"))
    try:
        assert runs_of(base, "activation=relu_again")[0].activation.name == "relu_again"
    finally:
        del ACTIVATIONS._entries["relu_again"]


def test_several_experiments_take_the_same_overrides(base):
    found = sweeps([base, "default"], ["seed=1,2,3"])
    assert [sweep.name for sweep in found] == ["base", "default"]
    assert all(sweep.axes["seed"] == ["1", "2", "3"] for sweep in found)


def test_the_launcher_and_thresholds_are_no_part_of_a_run(base):
    sweep = one(base, "launcher.num_workers=3", "thresholds.train_loss=[0.3,0.2]")
    assert (sweep.launcher.name, sweep.launcher.num_workers) == ("local", 3)
    assert sweep.launcher.fleet_size is None
    assert sweep.thresholds["train_loss"] == [0.3, 0.2]
    assert ids(sweep.runs()) == ids(runs_of(base))
    assert one(base, "thresholds.train_loss=0.3,0.2").thresholds == sweep.thresholds


def test_batches_and_probes_are_at_most_the_training_set(base):
    (run,) = runs_of(base, "batch_size=1000", "probes.num_samples=1000")
    assert (run.batch_size, run.probe_samples) == (50, 50)


def test_a_million_million_runs_are_counted_without_expanding_them():
    start = time.perf_counter()
    sweep = one("default", "seed=range(1000000000)", "learning_rate=range(0.001,1.001,0.001)")
    assert sweep.num_runs == 5 * 4 * 3 * 10**9 * 1000
    assert sweep.axes["seed"][-2:] == ["…", "999999999"]
    assert time.perf_counter() - start < 1


def test_a_thousand_runs_take_less_than_a_second():
    one("default")  # the registries are loaded
    start = time.perf_counter()
    assert len(ids(runs_of("default", "seed=range(5)"))) == 1200
    assert time.perf_counter() - start < 1


# What replaces what --------------------------------------------------------------------------


def test_the_command_line_replaces_the_budget_which_replaces_the_experiment(write):
    path = write(
        "title: x\noverrides: {num_steps: 9}\nsweep: {seed: range(5)}\n"
        "budgets: {quick: {num_steps: 3, seed: range(2)}}"
    )
    assert {(run.num_steps, run.seed) for run in runs_of(path, "seed=7")} == {(9, 7)}
    quick = runs_of(path, budget="quick")
    assert {(run.num_steps, run.seed) for run in quick} == {(3, 0), (3, 1)}
    assert {run.num_steps for run in runs_of(path, "num_steps=1", budget="quick")} == {1}
    assert len(runs_of(path, budget="full")) == 5


def test_an_experiments_setting_is_dropped_when_its_group_is_replaced(write):
    path = write("title: x\nsweep: {initializer: normal, initializer.std: [0.1, 0.2]}")
    assert choices(runs_of(path), "initializer") == [
        ("normal", {"std": 0.1}),
        ("normal", {"std": 0.2}),
    ]
    sweep = one(path, "initializer=he_normal")
    assert len(sweep.runs()) == sweep.num_runs == 1
    assert sweep.axes == {}


ZIPPED = """
title: x
sweep:
  activation: [sigmoid, tanh, relu]
  initializer: [xavier_normal, xavier_normal, he_normal]
  seed: range(2)
zip: [[activation, initializer]]
budgets: {quick: {activation: [tanh, relu]}}
"""


def pairs(runs) -> list[tuple[str, str]]:
    return list(dict.fromkeys((run.activation.name, run.initializer.name) for run in runs))


@pytest.mark.parametrize(
    ("overrides", "budget", "expected"),
    [
        ((), None, "sigmoid+xavier tanh+xavier relu+he"),
        ((), "quick", "tanh+xavier relu+he"),
        (("activation=relu",), None, "relu+he"),
        (("activation=relu,sigmoid",), None, "sigmoid+xavier relu+he"),
        (("initializer=xavier_normal",), None, "sigmoid+xavier tanh+xavier"),
        (("activation=relu",), "quick", "relu+he"),
        (("initializer=zeros",), None, "sigmoid+zeros tanh+zeros relu+zeros"),
        (("activation=elu,gelu,mish",), None, "elu+xavier gelu+xavier mish+he"),
        (("activation=elu,gelu", "initializer=zeros,he_normal"), None, "elu+zeros gelu+he"),
    ],
)
def test_axes_that_are_zipped_vary_together(write, overrides, budget, expected):
    runs = runs_of(write(ZIPPED), *overrides, budget=budget)
    found = " ".join("+".join(pair) for pair in pairs(runs)).replace("_normal", "")
    assert found == expected
    assert len(runs) == 2 * len(pairs(runs))


def test_zipped_axes_are_narrowed_without_comparing_each_value_with_each():
    num_compared = 0

    class Seed(int):
        def __eq__(self, other):
            nonlocal num_compared
            num_compared += 1
            return int(self) == int(other)

        __hash__ = int.__hash__

    stated = {"seed": [Seed(number) for number in range(500)], "depth": [*range(500)]}
    given = {"seed": [Seed(number) for number in range(0, 500, 2)]}
    (narrowed,) = dimensions([stated, {}, given], [("seed", "depth")])
    assert narrowed.columns[1] == [*range(0, 500, 2)]
    assert num_compared < 5_000


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("{}", 0),
        ("{activation: relu}", 16),
        ("{activation: relu, depth: 1}", 20),
        ("{activation: relu, depth: [1, 2]}", 16),
        ("{initializer: small_normal}", 12),
        ("{initializer: normal}", 0),
        ("{activation: leaky_relu}", 8),
        ("{activation.negative_slope: 0.2}", 16),
        ("{activation: relu, activation.negative_slope: 0.2}", 24),
        ("{depth: 3}", 24),
    ],
)
def test_exclusions_match_by_name_preset_setting_and_value(write, exclude, left):
    path = write(
        "title: x\nsweep:\n  activation: [relu, leaky_relu]\n"
        "  activation.negative_slope: [0.1, 0.2]\n  initializer: [small_normal, unit_normal]\n"
        f"  depth: [1, 2]\n  seed: range(2)\nexclude: [{exclude}]"
    )
    if left:
        assert len(runs_of(path)) == left
    else:
        with pytest.raises(UsageError, match="exclude removes every run"):
            runs_of(path)


def test_exclusions_match_the_default_of_a_setting_that_choices_leave_out(write):
    path = write(
        "title: x\noverrides: {dataset: moons}\nsweep:\n"
        "  dataset.scaling: [none, standardize]\nexclude: [{dataset.scaling: none}]"
    )
    assert {run.dataset["scaling"] for run in runs_of(path)} == {"standardize"}


# Networks that do not fit everything ---------------------------------------------------------


def test_a_network_of_fixed_architecture_has_its_own_depth_and_no_width():
    sweep = one("default", "network=document_cnn")
    assert {(run.depth, run.width) for run in sweep.runs()} == {(9, None)}
    assert sweep.num_runs == len(sweep.runs()) == 240
    assert "depth" not in sweep.axes
    assert len(runs_of("default", "network=document_cnn", "depth=9")) == 240


def test_depth_applies_to_those_networks_that_have_one():
    runs = runs_of("default", "network=mlp,document_cnn", "depth=2,5", "seed=0")
    shapes = {(run.network.name, run.depth, run.width) for run in runs}
    assert shapes == {("mlp", 2, 100), ("mlp", 5, 100), ("document_cnn", 9, None)}


def test_a_binary_output_goes_with_two_classes():
    for dataset in ("dataset.task=parity", "dataset=moons"):
        runs = runs_of("default", "network.output=sigmoid,tanh,linear", dataset, "seed=0")
        assert len(runs) == 3 * 240


# Laws ----------------------------------------------------------------------------------------

AXES = {
    "activation": ["relu", "tanh", "elu", "gelu"],
    "initializer": ["he_normal", "zeros", "unit_normal"],
    "depth": ["0", "1", "7"],
    "width": ["1", "10"],
    "learning_rate": ["0.1", "1", "1e-3"],
    "seed": ["0", "1", "5"],
    "optimizer.momentum": ["0", "0.9"],
    "num_steps": ["0", "3"],
}
some_axes = st.lists(st.sampled_from(list(AXES)), min_size=1, max_size=4, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries(
        {key: st.lists(st.sampled_from(AXES[key]), min_size=1, unique=True) for key in keys}
    )
)


def written(axes: dict[str, list[str]]) -> list[str]:
    return [f"{key}={','.join(values)}" for key, values in axes.items()]


@settings(max_examples=30)
@given(axes=some_axes)
def test_the_number_of_runs_is_the_product_of_the_axes(base, axes):
    sweep = one(base, *written(axes))
    assert len(sweep.runs()) == sweep.num_runs == math.prod(map(len, axes.values()))


@settings(max_examples=15)
@given(axes=some_axes)
def test_the_order_of_axes_does_not_change_the_runs(base, axes):
    expected = ids(runs_of(base, *written(axes)))
    for order in list(permutations(written(axes)))[:4]:
        assert ids(runs_of(base, *order)) == expected


@settings(max_examples=20)
@given(axes=some_axes, data=st.data())
def test_a_value_more_on_an_axis_keeps_the_other_runs(base, axes, data):
    key = data.draw(st.sampled_from(list(axes)))
    more = data.draw(st.sampled_from(AXES[key]))
    wider = {**axes, key: list(dict.fromkeys([*axes[key], more]))}
    assert ids(runs_of(base, *written(axes))) <= ids(runs_of(base, *written(wider)))


@pytest.mark.parametrize(
    ("key", "spellings"),
    [
        ("learning_rate", ["1", "1.0", "1e0", "10e-1"]),
        ("depth", ["2", "2.0", "2e0"]),
        ("optimizer.momentum", ["0", "0.0", "-0.0"]),
        ("width", ["100", "1e2", "1_00"]),
        ("seed", ["4", "range(4,5)", "choice(4)"]),
    ],
)
def test_a_number_is_the_same_run_however_it_is_written(base, key, spellings):
    assert len({frozenset(ids(runs_of(base, f"{key}={text}"))) for text in spellings}) == 1


@given(
    start=st.integers(-1000, 1000), count=st.integers(0, 50), step=st.integers(-20, 20).filter(bool)
)
def test_a_range_is_pythons(start, count, step):
    expected = range(start, start + count * step, step)
    if not expected:
        with pytest.raises(UsageError):
            parse_override(f"seed=range({start},{expected.stop},{step})")
        return
    _, values = parse_override(f"seed=range({start},{expected.stop},{step})")
    assert isinstance(values, Range)
    assert list(values) == list(expected)
    assert values[-1] == expected[-1]
    assert values[1:3] == list(expected[1:3])


# Schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "num_steps", "steps"),
    [
        ("powers_of_two", 200, (0, 1, 2, 4, 8, 16, 32, 64, 128, 200)),
        ("powers_of_two", 0, (0,)),
        ("powers_of_two", 1, (0, 1)),
        ("powers_of_two", 4, (0, 1, 2, 4)),
        ("geometric", 20, (0, 1, 2, 3, 4, 6, 8, 11, 16, 20)),
        ("none", 9, ()),
        ("first", 9, (0,)),
        ("last", 9, (9,)),
        ("every:3", 10, (0, 3, 6, 9, 10)),
        ("every:50", 10, (0, 10)),
        ([5, 0, 5, 3], 10, (0, 3, 5)),
        ([0, 50], 10, (0,)),
        (4, 10, (4,)),
        ([], 10, ()),
    ],
)
def test_schedules_are_steps_of_the_run(schedule, num_steps, steps):
    assert resolve_schedule("probes.steps", check_schedule("", schedule), num_steps) == steps


def test_the_last_step_is_always_evaluated(base):
    for schedule in ("none", "first", "[1,2]", "geometric"):
        (run,) = runs_of(base, f"evaluations.steps={schedule}")
        assert run.evaluation_steps[-1] == run.num_steps == 4


# Bad input -----------------------------------------------------------------------------------


def error_of(names, overrides=(), budget=None) -> str:
    """Return the one line that a person reads."""
    with pytest.raises(UsageError) as caught:
        [sweep.runs() for sweep in sweeps(names, overrides, budget)]
    message = str(caught.value)
    assert message.isprintable(), message
    assert 0 < len(message) < 600
    return message


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("lerning_rate=1", "did you mean learning_rate?"),
        ("lr=1", "did you mean learning_rate?"),
        ("probes=none", "did you mean probes.steps?"),
        ("x" * 3000 + "=1", "unknown key"),
        ("activation=rel", "did you mean relu?"),
        ("activation=ReLU", "did you mean relu?"),
        ("activation=null", "unknown activation 'null'"),
        ("activation=[relu]", "activation=VALUE,VALUE"),
        ("activation=range(3)", "unknown activation '0'"),
        ("activation=relu,elu,relu", "relu twice"),
        ("activation=relu,choice(elu,tanh)", "not a single value"),
        ("activation=glob(x*)", "matches none"),
        ("activation.name=relu", "write activation=NAME"),
        ("activation.negative_slop=0.1", "did you mean negative_slope?"),
        ("activation.negative_slope=nan", "finite and at least 0"),
        ("activation.alpha=${oc.env:HOME}", "interpolations"),
        ("initializer=smal_normal", "did you mean small_normal?"),
        ("initializer.std=-1", "at least 0"),
        ("initializer.gain=activaton", "a number or activation (did you mean activation?)"),
        ("dataset=mnst5k", "did you mean mnist5k?"),
        ("dataset.num_train=3", "at least 10"),
        ("dataset.num_train=5000", "at most 4000"),
        ("depth=-1", "at least 0"),
        ("depth=2.5", "whole number"),
        ("depth=nan", "whole number"),
        ("depth=1e400", "whole number"),
        ("depth=true", "whole number"),
        ("depth=abc", "whole number"),
        ("depth=" + "9" * 400, "at most 10,000"),
        ("depth=" + "9" * 5000, "depth=9"),
        ("depth=", "no value"),
        ("depth=choice()", "empty choice"),
        ("depth=range(0)", "no values"),
        ("depth=range(5,1)", "no values"),
        ("depth=range(1,9,0)", "step of a range"),
        ("depth=range(nan)", "finite"),
        ("depth=range(0,inf)", "finite"),
        ("depth=range(1,3,0.5)", "whole number"),
        ("depth=2,2", "2 twice"),
        ("depth=2,2.0", "twice"),
        ("depth=glob(*)", "glob()"),
        ("depth=interval(0,1)", "interval()"),
        ("depth=${width}", "interpolations"),
        ("depth=(1", "Hydra's grammar"),
        ("depth=1,", "too early"),
        ("depth==1", "Hydra's grammar"),
        ("depth='1", "Hydra's grammar"),
        ("depth=" + "[" * 50, "Hydra's grammar"),
        ("depth=extend_list(1)", "unknown function extend_list()"),
        ("depth=1\nwidth=2", "unprintable"),
        ("depth=\x00", "unprintable"),
        ("depth=\ud800", "unprintable"),
        ("depth", "not KEY=VALUE"),
        ("=3", "not KEY=VALUE"),
        ("", "not KEY=VALUE"),
        ("-1", "not KEY=VALUE"),
        ("--learning_rate=0.1", "write learning_rate=0.1"),
        ("+new=1", "write KEY=VALUE"),
        ("++depth=1", "write KEY=VALUE"),
        ("~depth", "write KEY=VALUE"),
        ("depth@x=1", "packages"),
        ("hydra.run.dir=/tmp", "Hydra"),
        ("width=0", "at least 1"),
        ("width=null", "whole number"),
        ("batch_size=0", "at least 1"),
        ("num_steps=-1", "at least 0"),
        ("seed=-1", "at least 0"),
        ("seed=1e30", "at most 9,223,372,036,854,775,807"),
        ("seed=range(99999999999999999999)", "at most"),
        ("learning_rate=nan", "finite and above 0"),
        ("learning_rate=inf", "finite and above 0"),
        ("learning_rate=0", "above 0"),
        ("learning_rate=-0.1", "above 0"),
        ("learning_rate=" + "9" * 400, "finite"),
        ("learning_rate=0.1,1e-1", "0.1 twice"),
        ("initializer.std=range(0.1,1,0.0000001)", "limit of 10,000"),
        ("probes.steps=powers_of_too", "did you mean powers_of_two?"),
        ("probes.steps=every:0", "not a schedule"),
        ("probes.steps=[-1]", "whole numbers, 0 or more"),
        ("probes.steps=[1.5]", "whole numbers, 0 or more"),
        ("probes.steps=[[1]]", "not a single value"),
        ("probes.steps=[500]", "after the last step, 150"),
        ("probes.steps=range(100000000000)", "limit of 10,000"),
        ("figures=range(20000)", "limit of 10,000"),
        ("probes.num_samples=0", "at least 1"),
        ("thresholds.train_loss=nan", "finite"),
        ("thresholds.train_accuracy=2", "at most 1"),
        ("launcher=slrm", "unknown launcher"),
        ("launcher.num_workers=0", "at least 1"),
        ("launcher.num_workers=1,2", "cannot be an axis"),
        ("launcher.num_worker=1", "did you mean num_workers?"),
        ("optimizer=sgdd", "did you mean sgd?"),
        ("optimizer.momentum=1", "below 1"),
        ("network.output=sigmoi", "did you mean sigmoid?"),
        ("network.output=sigmoid", "dataset.task=parity"),
    ],
)
def test_a_bad_override_is_one_line_that_says_what_is_wrong(override, says):
    assert says in error_of([], [override])


def test_a_schedule_of_too_many_steps_is_refused():
    assert "limit of 100,000" in error_of([], ["num_steps=100000000", "probes.steps=every:1"])


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["depth=1", "depth=2"], "depth is given twice"),
        (["network=document_cnn", "depth=5"], "its depth is 9"),
        (["network=document_cnn", "width=5"], "leave width out"),
        (["network=document_cnn", "dataset=digits"], "28 × 28 with 1 channel"),
        (["activation=relu,tanh", "activation.alpha=1"], "not a setting of relu, tanh"),
    ],
)
def test_overrides_that_contradict_each_other_are_one_line(overrides, says):
    assert says in error_of([], overrides)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("defult", "did you mean default?"),
        ("depth", "write depth=VALUE"),
        ("--learning_rate=0.1", "write learning_rate=0.1"),
        ("no.yaml", "no such file"),
        ("no/such/place", "no such file"),
        ("/", "is a folder"),
        ("/dev/null/x.yaml", "/dev/null/x.yaml"),
        ("/dev/zero", "is not a file"),
        ("a\nb.yaml", "unprintable"),
        ("\x00.yaml", "unprintable"),
        ("é ü=.yaml", "no such file"),
        ("a" * 5000 + ".yaml", "aaa"),
        ("", "unknown experiment"),
    ],
)
def test_an_experiment_that_is_not_there_is_one_line(name, says):
    assert says in error_of([name])


def test_an_experiment_cannot_be_named_twice():
    assert "given twice" in error_of(["default", "default"])


@pytest.mark.parametrize("budget", ["quik", ""])
def test_an_unknown_budget_is_one_line(budget):
    assert "valid: quick, standard, full" in error_of([], budget=budget)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b", "it is a list"),
        ("hello", "it is text"),
        ("5", "a single value"),
        ("", "it is empty"),
        ("title: [x", "line 1"),
        ("sweep: {depth: 1}", "has no title"),
        ("title: 5", "title is not text"),
        ("title: ''", "title is not text"),
        ("title: x\nswep: {}", "did you mean sweep?"),
        ("title: x\n'a\\nb': 1", "unknown key"),
        ("title: x\ntitle: y", "title appears twice"),
        ("title: x\nquestion: [1]", "question is not text"),
        ("title: x\nfigures: loss_curves", "figures is not a list"),
        ("title: x\noverrides: [1]", "overrides is not a mapping"),
        ("title: x\noverrides: {1: 2}", "not text"),
        ("title: x\noverrides: {[1]: 2}", "not valid YAML"),
        ("title: x\noverrides: {depth: '1,2'}", "put axes under sweep"),
        ("title: x\noverrides: {depth: 1}\nsweep: {depth: 2}", "both under"),
        ("title: x\noverrides: {probes: {steps: none}, probes.steps: last}", "twice"),
        ("title: x\nsweep: {depht: 1}", "did you mean depth?"),
        ("title: x\nsweep: {depth: [1, 1]}", "1 twice"),
        ("title: x\nsweep: {depth: []}", "no values"),
        ("title: x\nsweep: {depth: ''}", "no value"),
        ("title: x\nsweep: {depth: 2020-01-01}", "depth=2020-01-01 is not valid"),
        ("title: x\nsweep: {depth: 2020-99-01}", "depth=2020-99-01 is not valid"),
        ("title: x\nsweep: {depth: 'interval(0,1)'}", "interval()"),
        ("title: x\nsweep: {depth: .nan}", "whole number"),
        ("title: x\nsweep: {activation: relu, activation.alpha: 1}", "not a setting of relu"),
        ("title: x\nzip: [[depth]]", "two or more"),
        ("title: x\nzip: [[depth, width]]", "zip names depth"),
        ("title: x\nzip: [[depth, width], [depth, seed]]", "zip has the key depth twice"),
        ("title: x\nsweep: {depth: [1, 2], width: [1, 2, 3]}\nzip: [[depth, width]]", "together"),
        ("title: x\nexclude: {depth: 1}", "exclude is not a list"),
        ("title: x\nexclude: [{activation: rel}]", "did you mean relu?"),
        ("title: x\nexclude: [{activation.alfa: 1}]", "did you mean activation.alpha?"),
        ("title: x\nexclude: [{launcher: local}]", "does not vary between runs"),
        ("title: x\nexclude: [{depth: 5}]", "removes every run"),
        ("title: x\nbudgets: {quik: {}}", "did you mean quick?"),
        ("title: x\nbudgets: [1]", "budgets is not a mapping"),
        ("title: x\nbudgets: {quick: skp}", "budgets.quick is neither a mapping nor skip: skp"),
        ("title: !!python/object/apply:os.system ['touch pwned']", "not valid YAML"),
        ("title: !!python/name:os.system", "not valid YAML"),
        ("title: x\noverrides: {dataset: '${oc.env:HOME}'}", "interpolations"),
        ("title: x\noverrides: {dataset.root: ['${oc.env:HOME}']}", "interpolations"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("title: x\n---\ntitle: y", "another document"),
        ("title: " + "[" * 3000, "not valid YAML"),
        (f"title: x\nsweep: {{seed: {'1' * 5000}}}", "not valid YAML"),
        (b"title: \xff\xfe", "UTF-8"),
        (b"title: \x00", "not valid YAML"),
        (b"title: x\n#" + b" " * 1_000_000, "too large"),
    ],
)
def test_a_file_that_is_no_experiment_is_one_line(write, text, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in error_of([write(text)])
    assert not (tmp_path / "pwned").exists()


def test_the_error_names_the_file_that_caused_it(write):
    assert error_of([write("title: x\nsweep: {depth: -1}", "wrong.yaml")]).count("wrong.yaml") == 1


def test_the_reason_of_hydra_is_kept_as_the_cause():
    with pytest.raises(UsageError) as caught:
        sweeps([], ["depth=(1"])
    assert type(caught.value.__cause__).__name__ == "HydraException"


def what_is_said(name, overrides) -> str:
    try:
        sweep = one(name, *overrides)
        return f"{len(sweep.runs()) if sweep.num_runs < 1000 else sweep.num_runs}"
    except UsageError as error:
        return str(error)


@settings(max_examples=150)
@given(st.text(max_size=30) | st.from_regex(r"\A(depth|activation|probes\.steps)=.{0,12}\Z"))
def test_no_text_whatever_raises_anything_but_a_usage_error(base, text):
    assert what_is_said(base, [text]).isprintable()


@settings(max_examples=150)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f"title: {text}".encode()))
def test_no_file_whatever_raises_anything_but_a_usage_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_bytes(content)
    assert what_is_said(str(path), []).isprintable()


# Studies -------------------------------------------------------------------------------------


def test_an_experiment_of_studies_alone_trains_nothing_and_takes_no_settings(write):
    path = write("title: T\nstudies: [formulas]\n", "s.yaml")
    sweep = one(path)
    assert sweep.studies == ("formulas",)
    assert sweep.num_runs == len(sweep.runs()) == 0
    with pytest.raises(UsageError, match="s trains nothing: seed does not apply"):
        one(path, "seed=1")


def test_an_experiment_may_have_both_studies_and_runs(write):
    path = write("title: T\nstudies: [formulas]\nsweep: {seed: range(2)}\n", "s.yaml")
    assert one(path).num_runs == 2

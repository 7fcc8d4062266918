"""Widths that are listed layer by layer: one value of the axis `width`."""

from __future__ import annotations

import json

import pytest

from relu_exp.config import sweeps
from relu_exp.config.grammar import parse_value
from relu_exp.core.schema import RunConfig, UsageError
from relu_exp.engine.networks import layers_of
from relu_exp.evidence.data.labels import label_choices
from relu_exp.planning.memory import bytes_of


def runs(*words: str) -> list[RunConfig]:
    plain = ["seed=0", "learning_rate=0.1", "activation=relu", "initializer=he_normal"]
    (sweep,) = sweeps(overrides=[*plain, *words])
    return list(dict.fromkeys(sweep.runs()))


def hidden(run: RunConfig) -> list[int]:
    return [layer.shape[0] for layer in layers_of(run)[:-1]]


def test_a_list_is_a_network_with_a_layer_for_each_item():
    (run,) = runs("width=[128,64,32]")
    assert hidden(run) == [128, 64, 32]
    assert (run.depth, run.width) == (3, None)
    assert RunConfig.from_row(run.as_row()) == run


def test_a_list_is_one_value_beside_others():
    found = runs("width=[128,64,32],[8,4],50", "depth=1,2")
    assert [hidden(run) for run in found] == [[128, 64, 32], [8, 4], [50], [50, 50]]
    assert parse_value("width", [[128, 64], 100]) == [[128, 64], 100]
    assert parse_value("width", [128, 64]) == [128, 64]


def test_the_setting_of_the_network_is_the_same():
    assert runs("network.widths=[128,64,32]") == runs("width=[128,64,32]")


def test_a_plain_width_is_the_run_it_was():
    (run,) = runs("width=100", "depth=2")
    assert "widths" not in run.network.as_dict()


def test_a_network_takes_the_memory_of_its_layers():
    small, large = runs("width=[8,8]"), runs("width=[3000,3000]")
    assert bytes_of(large[0]) > 10 * bytes_of(small[0])


def test_an_experiment_file_lists_and_excludes_them(tmp_path):
    path = tmp_path / "widths.yaml"
    path.write_text(
        "title: x\nquestion: y\n"
        "overrides: {dataset: digits, width: '[8, 4]'}\n"
        "sweep: {width: [[8, 4], [6, 3], 5], activation: [relu, tanh], depth: 2}\n"
        "exclude:\n  - {activation: relu, width: [[8, 4]]}\n"
    )
    text = path.read_text()
    path.write_text(text.replace(", width: '[8, 4]'", ""))
    (sweep,) = sweeps([str(path)])
    found = [(run.activation.name, hidden(run)) for run in sweep.runs()]
    assert sorted(found) == [
        ("relu", [5, 5]),
        ("relu", [6, 3]),
        ("tanh", [5, 5]),
        ("tanh", [6, 3]),
        ("tanh", [8, 4]),
    ]
    path.write_text(text.replace("width: [[8, 4], [6, 3], 5], ", ""))
    (sweep,) = sweeps([str(path)])
    assert {tuple(hidden(run)) for run in sweep.runs()} == {(8, 4)}


def test_a_list_is_printed_as_it_is_written():
    found = runs("width=[8,4],16", "depth=2")
    choices = [(run.network.name, json.dumps(run.network.as_dict())) for run in found]
    assert [*label_choices(choices).values()] == ["plain MLP (widths=[8, 4])", "plain MLP"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["width=[128,0]"], "an item of width=0 is not valid: it must be at least 1"),
        (["width=[128,wide]"], "an item of width=wide is not valid: it must be a whole number"),
        (["width=[]"], "without hidden layers"),
        (["width=[8,4]", "network=residual_mlp"], "does not fit network=residual_mlp"),
        (["width=[8,4]", "network=small_cnn"], "does not fit network=small_cnn"),
        (["width=[8,4]", "depth=3"], "a layer for each item: 2"),
        (["network.widths=[8,wide]"], "a list of whole numbers"),
        (["width=[8,4],[8,4]"], "twice"),
    ],
)
def test_lists_that_make_no_network_are_refused(words, error):
    with pytest.raises(UsageError, match=error):
        runs(*words)

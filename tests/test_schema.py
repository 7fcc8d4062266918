"""The words: a run's configuration as a row of a table, and back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import (
    PARTS,
    PRECISIONS,
    TABLES,
    Choice,
    RunConfig,
    UsageError,
)

PLAIN_KEYS = [name for name, key in RUN_KEYS.items() if not key.is_schedule]

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers() | names | st.floats(allow_nan=False, width=64)
choices = st.builds(
    lambda name, settings: Choice(name, tuple(sorted(settings.items()))),
    names,
    st.dictionaries(names, scalars, max_size=4),
)
whole = st.integers(0, 2**31 - 1)
steps = st.lists(whole, max_size=5).map(tuple)
runs = st.builds(
    RunConfig,
    **dict.fromkeys(PARTS, choices),
    depth=whole,
    width=st.none() | whole,
    learning_rate=st.floats(allow_nan=False, allow_infinity=False),
    batch_size=whole,
    num_steps=whole,
    seed=st.integers(0, 2**63 - 1),
    probe_steps=steps,
    probe_samples=whole,
    evaluation_steps=steps,
    precision=st.sampled_from(PRECISIONS),
)
RUN = RunConfig(
    **{part: Choice("x", (("a", 1.5),)) for part in PARTS},
    depth=2,
    width=None,
    learning_rate=0.1,
    batch_size=8,
    num_steps=4,
    seed=0,
    probe_steps=(0, 4),
    probe_samples=8,
    evaluation_steps=(),
)


@given(runs)
def test_a_row_gives_back_exactly_the_run_that_it_was_written_from(run):
    again = RunConfig.from_row(run.as_row())
    assert again == run
    # 1 and 1.0 and True are equal, and not the same
    assert repr(again) == repr(run)
    assert again.run_id == run.run_id
    assert again.as_row() == run.as_row()


def test_a_row_of_the_table_has_more_columns_than_the_configuration():
    row = {**dict.fromkeys(TABLES["runs"]), **RUN.as_row(), "status": "done", "seconds": 1.0}
    assert RunConfig.from_row(row) == RUN


def test_runs_of_float32_are_named_as_before_there_was_another_precision():
    named = {precision: replace(RUN, precision=precision).run_id for precision in PRECISIONS}
    assert named["float32"] == RUN.run_id == "8683268adc7dde4a"
    assert len({*named.values()}) == len(PRECISIONS)
    assert replace(RUN, gradient_clip=0.0).run_id == RUN.run_id
    assert replace(RUN, gradient_clip=1.0).run_id != RUN.run_id
    assert replace(RUN, schedule="constant").run_id == RUN.run_id
    assert replace(RUN, schedule="cosine").run_id != RUN.run_id


@pytest.mark.parametrize("column", list(RUN.as_row()))
def test_a_row_without_a_column_is_no_run(column):
    row = RUN.as_row()
    del row[column]
    with pytest.raises(UsageError, match="a row of runs"):
        RunConfig.from_row(row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[(f"{part}_settings", "[1]") for part in PARTS],
        *[(key, "3") for key in PLAIN_KEYS],
        *[(key, True) for key in PLAIN_KEYS],
        *[(key, None) for key in PLAIN_KEYS if key != "width"],
        ("activation", 3),
        ("activation_settings", None),
        ("activation_settings", "{"),
        ("activation_settings", "[" * 100_000),
        ("activation_settings", '{"a": [1]}'),
        ("activation_settings", '{"a": {"b": 1}}'),
        ("learning_rate", 1),
        ("precision", "float16"),
        ("probe_steps", "7"),
        ("probe_steps", "[1.5]"),
        ("probe_steps", "[true]"),
        ("evaluation_steps", None),
    ],
)
def test_a_value_of_a_wrong_type_is_no_run(column, value):
    with pytest.raises(UsageError, match="not a configuration"):
        RunConfig.from_row({**RUN.as_row(), column: value})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("depth", 3),
        ("seed", 1),
        ("precision", "tf32"),
        ("activation", "y"),
        ("probe_steps", "[0]"),
        ("run_id", "0" * 16),
    ],
)
def test_a_row_that_was_changed_is_not_the_run_it_says(column, value):
    with pytest.raises(UsageError, match="changed after it was written"):
        RunConfig.from_row({**RUN.as_row(), column: value})

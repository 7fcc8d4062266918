"""What figures leave out: never silently, and the command that is shown draws all of it."""

import dataclasses
import re
import shlex

import pytest

from relu_exp.cli import main
from relu_exp.core.schema import Choice
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures import FIGURES, DoesNotApply, draw
from relu_exp.evidence.report.report import build
from relu_exp.evidence.report.summary import failures

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
DRAWN = re.compile(r"(\d+) of (\d+) [\w ]+ are drawn")


def decayed(runs, decay):
    optimizer = Choice("sgd", (("momentum", 0.0), ("weight_decay", decay)))
    return [dataclasses.replace(run, optimizer=optimizer) for run in runs]


def crossed(widths, decays, **axes):
    """Return a sweep of widths by weight decays."""
    axes = {"activations": ("relu",), "initializers": (HE,), "depths": (2,), "seeds": (0,), **axes}
    return [
        run
        for width in widths
        for decay in decays
        for run in decayed(synthetic.configs(width=width, learning_rates=(0.1, 1.0), **axes), decay)
    ]


@pytest.mark.parametrize(
    "name", ["accuracy_map", "learning_rate_sensitivity", "loss_curves", "steps_to_threshold"]
)
def test_two_widths_by_two_weight_decays_are_all_drawn(tmp_path, name):
    runs = crossed((16, 32), (0.0, 0.01), activations=("relu", "tanh"))
    drawings = list(draw(name, Frames.open(synthetic.write(tmp_path, runs))))
    assert {run_id for one in drawings for run_id in one.run_ids}
    for width in (16, 32):
        for decay in ("0", "0.01"):
            assert any(f"-width{width}-SGD_weight_decay_{decay}" in one.name for one in drawings)
    assert not any(DRAWN.search(one.caption) for one in drawings)


def drawn(name, frames, **options):
    try:
        return list(draw(name, frames, **options))
    except DoesNotApply:
        return []


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Results with more of everything than figures draw by default."""
    rates = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    axes = {"seeds": (0,), "probe_steps": (0, 4, 256)}
    depths = (1, 2, 3, 4, 5, 6, 12)
    runs = synthetic.configs(("relu",), (HE,), depths, rates, width=4, **axes)
    runs += crossed((5, 6, 7, 8), (0.0,), **axes)
    root = tmp_path_factory.mktemp("large") / "ein Ordner"
    return synthetic.write(
        root,
        runs,
        figures=list(FIGURES),
        thresholds={"train_loss": [2.2, 2.0, 1.5, 1.0, 0.5, 0.3]},
    )


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_left_out_is_counted_and_all_of_it_can_be_drawn(large, name):
    frames = Frames.open(large)
    few, every = drawn(name, frames), drawn(name, frames, everything=True)
    assert {one.name for one in few} <= {one.name for one in every}
    for one in few:
        for kept, of in DRAWN.findall(one.caption):
            assert int(kept) < int(of)
    assert not any(DRAWN.search(one.caption) for one in every)
    panels = {one.name: len(one.figure.axes) for one in every}
    for one in few:
        legends = [text.get_text() for each in one.figure.legends for text in each.get_texts()]
        more = next(each for each in every if each.name == one.name)
        known = [text.get_text() for each in more.figure.legends for text in each.get_texts()]
        is_whole = len(few) == len(every) and panels[one.name] == len(one.figure.axes)
        assert DRAWN.search(one.caption) or (is_whole and legends == known)
        assert "--all-figures" in one.caption or is_whole


def test_the_command_below_a_figure_draws_the_rest(tmp_path, capsys, monkeypatch):
    root = tmp_path / "ein Ordner"
    synthetic.write(root, crossed((4, 5, 6, 7, 8), (0.0,)), figures=["signal_by_layer"])
    monkeypatch.chdir(tmp_path)
    built = build(root)
    (note,) = [one for one in built.warnings if "--all-figures" in one]
    command = shlex.split(note.rpartition(": ")[2])
    assert command == ["relu-exp", "report", "ein Ordner", "--all-figures"]
    before = {path.name for path in built.figures}
    assert main(command[1:]) == 0
    assert "--all-figures" not in capsys.readouterr().err
    after = {path.name for path in (root / "figures").iterdir()}
    assert before < after
    text = (root / "report.md").read_text()
    assert "are drawn" not in text
    # drawn again as it is, not cut again
    assert "--all-figures" in (root / "report.html").read_text()


def test_reasons_that_are_not_listed_are_counted(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), range(13))
    tables = synthetic.empty_tables()
    for run in runs:
        synthetic.add_rows(
            tables["runs"], **run.as_row(), status="failed", error=f"ValueError: {run.seed}",
            session=synthetic.SESSION,
        )  # fmt: skip
    root = synthetic.write(tmp_path, runs)
    Frames.open(root).store.write_part("fleet000000", tables)
    lines = failures(Frames.open(root))
    assert len(lines) == 11
    assert lines[-1].startswith("3 other reasons (3 runs)")

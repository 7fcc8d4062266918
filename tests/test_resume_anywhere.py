"""Whatever is planned, interrupted, resumed, added or removed: the tables are those of one run."""

import inspect
import sys
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from relu_exp import cli
from relu_exp.evidence.data.frames import Frames
from relu_exp.results.store import Store
from relu_exp.session import session

TINY = """
title: Tiny
question: Does the way matter?
overrides: {width: 4, num_steps: 4, batch_size: 16, dataset: digits, dataset.num_train: 32,
            probes.steps: last, launcher.checkpoint_seconds: 0}
sweep: {activation: [relu], seed: [0]}
figures: []
"""
AXES = {
    "activation": ("relu", "tanh", "prelu"),
    "depth": ("1", "2"),
    "learning_rate": ("0.1", "1.0e+30"),
    "seed": ("0", "1", "2"),
}
MEASURED = ["runs", "curves", "layers", "histograms", "dead_units", "predictions", "functions"]
WHERE_AND_WHEN = ["seconds", "fleet_id", "session", "part"]


@dataclass(frozen=True)
class Command:
    """A sweep as somebody asks for it: values may have come or gone since the last command."""

    axes: dict[str, list[str]]
    fleet_size: int
    num_calls: int | None
    """The call of a function of ours at which it is interrupted; None: never."""

    def words(self, *options):
        swept = [f"{axis}={','.join(values)}" for axis, values in self.axes.items()]
        return ["run", "tiny.yaml", *swept, f"launcher.fleet_size={self.fleet_size}", *options]


def subsets(values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


COMMANDS = st.builds(
    Command,
    axes=st.fixed_dictionaries({axis: subsets(values) for axis, values in AXES.items()}),
    fleet_size=st.integers(1, 4),
    # from the first word to the last: most calls are those of training
    num_calls=st.none() | st.integers(5, 43).map(lambda power: int(10 ** (power / 10))),
)


@contextmanager
def interrupted_at(num_calls):
    """Interrupt at some call of any function of the package, as Ctrl-C might."""
    left = num_calls

    def count(frame, event, _):
        nonlocal left
        # not in generators: one that is being discarded cannot hand an interrupt on
        is_function = event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR
        if is_function and frame.f_globals.get("__name__", "").startswith("relu_exp"):
            left -= 1
            if left == 0:
                raise KeyboardInterrupt

    if num_calls is None:
        yield
        return
    sys.setprofile(count)
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        sys.setprofile(None)


def said(capsys, command, results, *options):
    code = cli.main(command.words("--workers", "1", "--results", str(results), *options))
    out, err = capsys.readouterr()
    assert code in (0, 130), err
    return out


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def tables(results):
    """Return every table as a reader sees it, but when and in which company runs were trained."""
    frames = Frames.open(results / "tiny")
    found = {}
    for name in MEASURED:
        rows = getattr(frames, name).drop(columns=WHERE_AND_WHEN, errors="ignore")
        found[name] = [repr(row) for row in rows.to_dict("records")]
        if name != "runs":
            found[name].sort()
    return found


@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(commands=st.lists(COMMANDS, min_size=2, max_size=3))
def test_the_tables_are_those_of_a_fresh_sweep_whichever_way_they_were_made(
    commands, capsys, monkeypatch, tmp_path_factory
):
    *before, last = commands
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sweeps"))
        # what only takes time: the reports, and the measurement of this machine
        patch.setattr(session, "report", lambda root, **_: None)
        Path("tiny.yaml").write_text(TINY)
        worn, fresh = Path("worn"), Path("fresh")
        store, finished = Store(worn / "tiny"), set()
        for command in [*before, Command(last.axes, last.fleet_size, None)]:
            untouched = files(worn)
            assert "runs" in said(capsys, command, worn, "--plan")
            assert files(worn) == untouched
            with interrupted_at(command.num_calls):
                said(capsys, command, worn)
            assert finished <= (finished := store.finished())
        said(capsys, last, fresh)
        assert tables(worn) == tables(fresh)
        rows = Counter(id for part in store.read("runs", ["run_id"]) for id in part["run_id"])
        assert set(rows.values()) == {1}

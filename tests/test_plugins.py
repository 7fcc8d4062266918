"""Extensions from outside the package: one import, and what they add is named as they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relu_exp import cli, plugins
from relu_exp.config import experiment_names, is_shipped
from relu_exp.core import plugin_loading
from relu_exp.core.labels import Label
from relu_exp.core.plugin_loading import experiment_dir, load_plugins
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims import registry as claims
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import label_choices
from relu_exp.evidence.figures import FIGURES, looks
from relu_exp.results.store import Store

import synthetic
from configs import REGISTRIES

PLUGIN = '''
"""An extension that adds one of each, by one import."""

from pathlib import Path

import torch

from relu_exp.plugins import (
    DoesNotApply, Effects, Fan, Rule, Setting, Sheet, activation, claim, experiment_dir, figure,
    finished, initializer, layer_factor, looks, probed, scope_of,
)

experiment_dir(Path(__file__).with_name("questions"))


@activation(
    formula="x σ(bx), b learned",
    reference="Ramachandran, Zoph, Le 2017, arXiv:1710.05941",
    settings={"init": Setting(1.0, "first value of b")},
    trained=("b", "init"),
    label="Learned Swish",
    label_ko="학습 스위시",
    color="#AA3377",
)
def learned_swish(x, b=1.0):
    """Swish whose steepness is learned."""
    return x * torch.sigmoid(b * x)


@initializer(
    formula="N(0, gain² / fan_in)",
    reference="made up for this test",
    settings={"gain": Setting(1.0, "a factor; or `activation`", words=("activation",))},
    std=lambda fan, gain: fan.gain(gain) / fan.fan_in**0.5,
    label="Fan-in normal",
)
def fan_in_normal(z, fan: Fan, gain=1.0):
    """Normal, scaled by the fan-in."""
    return z * (fan.gain(gain) / fan.fan_in**0.5)


@figure("layers")
def spread_by_layer(frames):
    """Spread of the activations by layer."""
    rows = probed(frames, frames.runs, "activation_std")
    if rows.empty:
        raise DoesNotApply("nothing was probed")
    sheet = Sheet(1, 1)
    (axes,) = sheet.panels
    for label, look in looks(frames.runs).items():
        line = rows[rows["activation_label"] == label].groupby("layer")["activation_std"].mean()
        axes.plot(line.index, line, **look.kwargs)
    yield finished(
        frames, sheet, frames.runs, name="spread_by_layer", title="Spread by layer",
        caption=["Mean over seeds."], x="layer", y="spread",
        handles=[look.handle(str(label)) for label, look in looks(frames.runs).items()],
    )


RULE = Rule(
    measure="factor by which the spread of activations changes from layer to layer",
    says="before training, it is above 0.5",
    threshold=0.5,
    ratio=True,
)


@claim(
    "gain-keeps-the-spread",
    group="B",
    statement="With its own gain, a learned swish does not halve the spread in a layer.",
    sources={"a colleague": "over coffee"},
    experiments="own-question",
    rule=RULE,
    figure="spread_by_layer",
)
def gain_keeps_the_spread(evidence):
    """Return the factor from layer to layer, seed by seed."""
    frames = evidence["own-question"]
    runs = frames.runs[frames.runs["activation"] == "learned_swish"]
    effects = layer_factor(probed(frames, runs, "activation_std"), "activation_std")
    return Effects(effects, scope=scope_of(runs), run_ids=runs["run_id"].tolist())
'''

QUESTION = """
title: A question of one's own
question: Does its own gain keep the spread of a learned swish?
overrides: {depth: 3, width: 8, num_steps: 4, learning_rate: 0.1, dataset: digits}
sweep:
  activation: [learned_swish, relu]
  initializer: [fan_in_normal]
  initializer.gain: [activation]
  seed: range(3)
figures: [spread_by_layer]
"""


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, and forget what plugins registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    list(claims.all_claims())
    monkeypatch.setattr(claims, "_CLAIMS", dict(claims._CLAIMS))
    monkeypatch.setattr(plugin_loading, "_EXPERIMENT_FOLDERS", [])
    for each in [*REGISTRIES.values(), FIGURES]:
        monkeypatch.setattr(each, "_entries", dict(each._entries))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("relu_exp"):
            sys.modules.pop(name)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a command that must end well, and returns what it printed."""

    def run(*words: str) -> str:
        code = cli.main(words)
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


@pytest.mark.usefixtures("one_thread")
def test_a_plugin_of_one_import_adds_one_of_each_under_its_own_names(
    tmp_path: Path, said: Callable[..., str]
) -> None:
    (tmp_path / "one_of_each.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions" / "own-question.yaml").write_text(QUESTION, encoding="utf-8")
    own = ("--plugin", "one_of_each")
    assert "own-question\tA question of one's own" in said("list", "experiments", *own)
    assert "learned_swish\tinit=1\t" in said("list", "activations", *own)
    said("run", "own-question", "--workers", "1", *own)
    results = tmp_path / "results" / "own-question"
    manifest = json.loads(next((results / "manifests").glob("*.json")).read_text(encoding="utf-8"))
    swish = {"en": "Learned Swish", "ko": "학습 스위시", "color": "#AA3377"}
    assert manifest["labels"] == {
        "activation": {"learned_swish": swish},
        "initializer": {"fan_in_normal": {"en": "Fan-in normal"}},
    }
    report = (results / "report.html").read_text(encoding="utf-8")
    assert "Learned Swish" in report
    assert "Fan-in normal" in report
    drawing = next(results.rglob("spread_by_layer*.svg")).read_text(encoding="utf-8")
    assert "#aa3377" in drawing.lower()

    said("report", *own)
    assert "verdict     supported" in said("claim", "gain-keeps-the-spread", *own)
    page = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert 'id="gain-keeps-the-spread"' in page
    assert '"korean":{"Learned Swish":"학습 스위시"}' in page
    assert "#aa3377" in page.lower()


def test_every_name_is_there_and_known_to_type_checkers() -> None:
    assert sorted(plugins.__all__) == dir(plugins)
    for name, (module, attribute) in plugins._PLACES.items():
        assert getattr(plugins, name) is getattr(sys.modules[module], attribute)
    text = Path(plugins.__file__).read_text(encoding="utf-8")
    imported = text.partition("if TYPE_CHECKING:")[2].partition("_MODULES")[0]
    for name, (module, attribute) in plugins._PLACES.items():
        known = name if name == attribute else f"{attribute} as {name}"
        assert re.search(rf"from {module} import[^=]*?\b{known}\b", imported), name


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ImportError, match=r"no activatoin \(did you mean activation\?\)"):
        from relu_exp.plugins import activatoin  # type: ignore[attr-defined]  # noqa: F401
    assert not hasattr(plugins, "__path__")


@pytest.mark.parametrize(
    ("names", "heavy"),
    [
        ("activation, initializer, Setting", "pandas matplotlib hydra"),
        ("claim, Rule, Effects, probed, figure, experiment_dir", "torch hydra"),
        ("Setting, launcher, experiment_dir", "torch pandas matplotlib hydra"),
    ],
)
def test_what_a_plugin_does_not_use_is_not_loaded(names: str, heavy: str) -> None:
    program = f"from relu_exp.plugins import {names}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {*heavy.split()} & {*done.stdout.split()}


def test_the_experiments_of_a_folder_have_names_that_are_their_own(
    tmp_path: Path, said: Callable[..., str]
) -> None:
    shipped = experiment_names()
    text = (Path(__file__).parents[1] / "docs" / "add-an-experiment.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "my_questions.py").write_text(code, encoding="utf-8")
    with pytest.raises(UsageError, match=r"my_questions: experiment_dir.*no \*\.yaml"):
        load_plugins(["my_questions"])
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("title: Mine", encoding="utf-8")
    assert "results/mine" in said("run", "mine", "seed=0", "--plan", "--plugin", "my_questions")
    assert experiment_names() == (*shipped, "mine")
    assert not is_shipped("mine")
    experiment_dir(tmp_path / "experiments")
    assert experiment_names() == (*shipped, "mine")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "default.yaml").write_text("title: Taken", encoding="utf-8")
    experiment_dir(tmp_path / "more")
    with pytest.raises(UsageError, match="there is an experiment default already"):
        experiment_names()


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ({"en": "a\nb"}, "printable characters"),
        ({"en": "a" * 61}, "at most 60"),
        ({"en": "$\\beta$"}, "none of them a dollar sign"),
        ({"en": "a", "color": "red"}, "color='red' is not valid: write it as #rrggbb"),
    ],
)
def test_a_label_that_cannot_be_is_refused(
    label: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        Label(**label)
    root = synthetic.write(tmp_path / "default", labels={"activation": {"relu": label}})
    with pytest.raises(UsageError, match="labels has an invalid value"):
        Frames.open(root)


def test_results_without_labels_look_as_they_did(tmp_path: Path) -> None:
    runs = Frames.open(synthetic.write(tmp_path / "default")).runs
    assert runs["activation_label"].cat.categories.tolist() == ["sigmoid", "ReLU"]
    assert "activation_color" not in runs
    assert Store(tmp_path / "default").latest_manifest().get("labels") is None  # type: ignore[union-attr]


def test_variants_are_shades_of_the_color_that_results_state(tmp_path: Path) -> None:
    labels = {"activation": {"relu": {"en": "rectifier", "color": "#AA3377"}}}
    frames = Frames.open(synthetic.write(tmp_path / "default", labels=labels))
    found = looks(frames.runs)
    assert found["rectifier"].color == "#AA3377"
    assert found["sigmoid"].color == "#D55E00"


def test_two_choices_of_one_label_stay_two() -> None:
    choices = [("relu", "{}"), ("mine", "{}")]
    assert [*label_choices(choices, {"mine": "ReLU"}).values()] == ["ReLU [relu]", "ReLU [mine]"]

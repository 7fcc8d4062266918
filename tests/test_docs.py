"""The pages of docs/ that add something: their example is saved, plugged in and trained."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import UsageError
from relu_exp.engine.probes.measurements import MEASUREMENTS
from relu_exp.engine.training import train_fleet
from relu_exp.session.session import Options, train

from configs import REGISTRIES, make_run

PAGES = Path(__file__).parents[1] / "docs"

pytestmark = pytest.mark.usefixtures("one_thread")


def plug_in(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the page's Python blocks under the name it gives and load it as a plugin."""
    text = (PAGES / page).read_text(encoding="utf-8")
    (module,) = re.findall(r"[Ss]ave this as `(\w+)\.py`", text)
    code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (folder / f"{module}.py").write_text("\n\n".join(code), encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    load_plugins([module])
    sys.modules.pop(module)


@pytest.fixture(autouse=True)
def registries_as_before() -> Any:
    registries = [registry._entries for registry in REGISTRIES.values()]
    held = [*registries, MEASUREMENTS, LAUNCHERS._entries]
    before = [(entries, dict(entries)) for entries in held]
    yield
    for entries, saved in before:
        entries.clear()
        entries.update(saved)


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("add-an-activation.md", {"activation": "bent", "activation__alpha": 0.05}),
        ("add-an-activation.md", {"activation": "learned_swish", "activation__per": "unit"}),
        ("add-an-initializer.md", {"initializer": "scaled_normal"}),
        (
            "add-an-initializer.md",
            {"initializer": "scaled_normal", "initializer__gain": "activation"},
        ),
        ("add-a-network.md", {"network": "funnel", "depth": 3}),
        ("add-a-dataset.md", {"dataset": "rings"}),
        ("add-a-measurement.md", {}),
    ],
    ids=str,
)
def test_what_a_page_adds_trains_and_is_measured(
    page: str, keys: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(page, tmp_path, monkeypatch)
    tables = train_fleet([make_run(probe_steps=(0, 4), **keys)])
    assert tables["runs"]["status"] == ["done"]
    assert set(MEASUREMENTS) <= set(tables["layers"]["quantity"])


@pytest.mark.parametrize(
    "path", [*sorted(PAGES.glob("add-a*.md")), PAGES / "tutorial.md"], ids=lambda path: path.stem
)
def test_an_extension_imports_from_one_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert {*re.findall(r"^from (relu_exp\S*) import", text, re.MULTILINE)} <= {"relu_exp.plugins"}


def test_the_launcher_of_the_page_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (PAGES / "add-a-launcher.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "resting.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    load_plugins(["resting"])
    words = ["launcher=resting", "launcher.seconds=0", "depth=1", "width=8", "num_steps=2"]
    words += ["initializer=he_normal", "activation=relu", "learning_rate=0.1", "seed=0"]
    assert train([], words, Options(tmp_path / "results", device="cpu")) == 0
    monkeypatch.delitem(sys.modules, "resting")


def test_a_plugin_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UsageError, match="--plugin no_such_module: there is no module"):
        load_plugins(["no_such_module"])


def test_a_plugin_that_takes_a_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from relu_exp.engine.activations import register\n"
    code += "@register(formula='x', reference='none')\ndef relu(x):\n    return x\n"
    (tmp_path / "thief.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="activation relu is registered twice"):
        load_plugins(["thief"])


def test_how_good_estimates_are_is_what_was_measured():
    table = (PAGES.parent / "results" / "benchmarks" / "estimates.md").read_text()
    ratios = [float(each) for each in re.findall(r"\| ([\d.]+) \| \d+% \|$", table, re.MULTILINE)]
    near = sum(0.75 <= ratio <= 1.25 for ratio in ratios)
    words = {11: "eleven", 12: "twelve", 13: "thirteen"}
    said = f"{words[near]} of {words[len(ratios)]} sweeps took what was said within"
    assert said in (PAGES / "scaling.md").read_text()

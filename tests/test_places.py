"""Scripts, paths and signs of any kind: in names, settings, files, figures and commands."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from relu_exp.config import sweeps
from relu_exp.config.files import read_experiment
from relu_exp.config.grammar import parse_override
from relu_exp.config.quoting import quoted
from relu_exp.core.arguments import is_experiment
from relu_exp.core.file_names import storable
from relu_exp.core.plugin_files import is_path
from relu_exp.core.schema import UsageError
from relu_exp.evidence.figures.catalog import Drawing
from relu_exp.evidence.figures.fonts import heading_weight, width_of, wrapped
from relu_exp.evidence.figures.style import RC

SOURCES = Path(__file__).parents[1] / "src"
SMALL = "overrides: {initializer: he_normal, depth: 1, width: 4, num_steps: 2, dataset: digits}"

ACTIVATION = '''
import torch
from relu_exp.plugins import activation

@activation(formula="tanh x", reference="없음", label="쌍곡형")
def 쌍곡(x):
    """쌍곡 함수."""
    return torch.tanh(x)
'''

CLAIM = '''
from relu_exp.plugins import Effects, Rule, claim, layer_factor, probed, scope_of

@claim(
    "keeps-the-spread", group="B", statement="쌍곡형은 퍼짐을 지킨다.", sources={"동료": "커피"},
    experiments="깊이 실험",
    rule=Rule(measure="factor", says="it is above 0.1", threshold=0.1, ratio=True),
)
def keeps(evidence):
    """Return the factor from layer to layer."""
    frames = evidence["깊이 실험"]
    effects = layer_factor(probed(frames, frames.runs, "activation_std"), "activation_std")
    return Effects(effects, scope=scope_of(frames.runs), run_ids=frames.runs["run_id"].tolist())
'''

EXPERIMENT = """
title: 깊이에 따라 기울기는 어떻게 되는가?
overrides: {initializer: he_normal, width: 8, num_steps: 4, learning_rate: 0.1, dataset: digits}
sweep:
  activation: [쌍곡, relu]
  depth: [2]
  seed: range(2)
figures: [loss_curves, histogram_grid]
"""


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("dataset.root=/data/문서", ["/data/문서"]),
        ("dataset.root=/data/문서, /b c/가 나 ", ["/data/문서", "/b c/가 나"]),
        ("dataset.root='/data/문서',/b", ["/data/문서", "/b"]),
        ("dataset.root=/a/lr=1/b", ["/a/lr=1/b"]),
        ("dataset.root=/a&b;c!/#d", ["/a&b;c!/#d"]),
        ("dataset.root=C:\\data\\문서\\", ["C:\\data\\문서\\"]),
        ("dataset.root=/가\\,나", ["/가,나"]),
        ("seed=sort(3,1,2,reverse=true)", [3, 2, 1]),
        ("활성화=relu", ["relu"]),
    ],
)
def test_bare_text_of_any_script_is_read(override, values):
    key, found = parse_override(override)
    assert key == override.partition("=")[0]
    assert list(found) == values


@pytest.mark.parametrize("value", ["1,2", "range(3)", "[0,1]", "a:b", "'문서'", "${x}문", "/a b/c"])
def test_what_hydra_reads_is_left_alone(value):
    assert quoted(value) == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("seed: 010", "seed=010 is not valid"),
        ("seed: 1:30", "seed=1:30 is not valid"),
        ("seed: 0x1F", "seed=0x1F is not valid"),
        ("seed: NO", "seed=NO is not valid"),
        ("seed: [1, 0o7]", "seed=0o7 is not valid"),
        ("seed: &a [1]\n  depth: *a", "line 4: YAML anchors and aliases are not supported here"),
    ],
)
def test_yaml_means_what_the_command_line_means(line, says, tmp_path):
    file = tmp_path / "실험.yaml"
    file.write_text(f"title: x\nsweep:\n  {line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as error:
        sweeps([str(file)])
    assert says in str(error.value)
    assert "not valid YAML" not in str(error.value)
    if line.startswith("seed: ") and "&" not in line and "[" not in line:
        with pytest.raises(UsageError, match=re.escape(says)):
            sweeps([], [line.replace(": ", "=", 1)])


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("깊이실험.yaml", True),
        ("y/lr=0.1/sci.yaml", True),
        (r"C:\runs\lr=0.1\sci.yml", True),
        (str(PureWindowsPath("C:/a b/lr=1/x.yaml")), True),
        ("lr=0.1", False),
        ("dataset.root=/data/x.yaml", False),
        ("default", True),
    ],
)
def test_a_path_that_holds_an_equals_sign_is_a_file(word, is_one):
    assert is_experiment(word) == is_one


def test_a_file_whose_own_name_holds_an_equals_sign_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1.yaml").write_text(f"title: x\n{SMALL}\n")
    assert is_experiment("lr=0.1.yaml")
    assert sweeps(["lr=0.1.yaml"])[0].name == "lr=0.1"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("learning_rate=logrange(-4,-1,4)", "unknown function logrange(); list the values"),
        ("learning_rate=0.1,0.1,0.1", "give more seeds"),
        ("wd=0.1", "did you mean optimizer.weight_decay?"),
        ("momentum=0.9", "did you mean optimizer.momentum?"),
        ("bs=32", "did you mean batch_size?"),
        ("활성화=relu", "unknown key '활성화'"),
    ],
)
def test_a_word_of_other_tools_leads_to_what_exists(override, says):
    with pytest.raises(UsageError) as error:
        sweeps([], [override])
    assert says in str(error.value)


@pytest.mark.parametrize("form", ["figures=[histogram_grid]", "figures=histogram_grid"])
def test_figures_may_be_named_on_the_command_line(form):
    assert sweeps([], [form])[0].figures == ("histogram_grid",)


def test_plugins_are_told_from_modules():
    assert [is_path(name) for name in ("mine", "a.b", "mine.py", "../mine.py", "./폴더")] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_figures_have_hangul_and_latin_letters_side_by_side():
    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.simplefilter("error")  # a letter that no font has is a warning
        figure = Figure()
        figure.text(0.1, 0.5, "쌍곡형 ReLU: 기울기 소실 → 10⁻⁷ α", weight="bold")
        figure.canvas.draw()


def test_a_heading_with_hangul_has_one_weight():
    assert heading_weight("활성화 함수: ReLU") == "normal"
    assert heading_weight("Training loss: ReLU × α") == "bold"


def test_lines_of_wide_letters_are_shorter():
    text = "깊이에 따라 기울기는 어떻게 되는가 " * 4
    assert all(width_of(line) <= 44 for line in wrapped(text, 40))
    assert max(map(len, wrapped(text, 40))) < 40
    assert wrapped("", 40) == []


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("dying-relu", "dying-relu"),
        ("깊이 실험 lr=0.1", "깊이 실험 lr=0.1"),
        ("con", "con_"),
        ("NUL.old", "NUL_.old"),
        ("com1", "com1_"),
        ("LPT¹ .x", "LPT¹ _.x"),
        ("console", "console"),
        ("com10", "com10"),
        ("why?", "why_"),
        ("a:b|c", "a_b_c"),
        ("../up", ".._up"),
        ("ends. .", "ends___"),
        ("...", "___"),
    ],
)
def test_names_are_made_ones_that_every_system_can_store(name, stored):
    assert storable(name) == stored
    assert storable(stored) == stored


def test_experiments_and_figures_are_stored_under_such_names(tmp_path):
    file = tmp_path / "왜?: aux..yaml"
    file.write_text("title: t\nsweep: {activation: [relu]}\n", encoding="utf-8")
    assert read_experiment(file).name == "왜__ aux_"
    figure = Drawing("nul:", "title", "caption", "small print", Figure())
    assert figure.name == "nul_"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with spaces, `=` and Hangul in its name that holds plugins and a sweep."""
    folder = tmp_path / "내 실험 lr=0.1"
    folder.mkdir()
    (folder / "활성 함수.py").write_text(ACTIVATION, encoding="utf-8")
    (folder / "json.py").write_text(CLAIM, encoding="utf-8")  # a module of this name exists
    (folder / "깊이 실험.yaml").write_text(EXPERIMENT, encoding="utf-8")
    (folder / "다른 곳").mkdir()
    return folder


@pytest.fixture
def shell() -> Callable[..., str]:
    """Return a function that pastes a command into a shell, and returns what it prints."""

    def paste(command: str, folder: Path, code: int = 0) -> str:
        program = f'relu-exp() {{ "{sys.executable}" -P -m relu_exp "$@"; }}\n'
        done = subprocess.run(
            ["bash", "-c", program + command],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            timeout=200,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(SOURCES),
                "RELU_EXP_CALIBRATION": "off",
                "PYTHONIOENCODING": "utf-8",
                "HOME": str(folder),
            },
        )
        assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return paste


def commands_in(*texts: str) -> list[str]:
    """Return every command in Markdown: what stands in spans of code, and after a colon."""
    found = [span for text in texts for span in re.findall(r"`(relu-exp [^`]+)`", text)]
    return list(dict.fromkeys(found))


def test_every_printed_command_works_when_pasted(home, shell):
    first = (
        "relu-exp run '깊이 실험.yaml' --plugin './활성 함수.py' --plugin json.py "
        "--results '다른 곳/결과' --workers 2"
    )
    shell(first, home)
    results = home / "다른 곳" / "결과"
    # reported from another folder: its commands are for that folder
    there = home / "다른 곳"
    shell("relu-exp report 결과 --plugin ../json.py", there)
    report = (results / "깊이 실험" / "report.md").read_text(encoding="utf-8")
    page = (results / "claims.md").read_text(encoding="utf-8")
    section = page.partition('<a id="keeps-the-spread">')[2].partition("<a id=")[0]
    shown = shell("relu-exp claim keeps-the-spread --plugin ../json.py --results 결과", there)
    (again,) = re.findall(r"^command +(relu-exp .*)$", shown, re.MULTILINE)

    printed = [*commands_in(report), *commands_in(section), again]
    assert again in commands_in(section)
    assert any(command.startswith("relu-exp report") for command in printed)
    for command in dict.fromkeys(printed):
        said = shell(command, there)
        if command.startswith("relu-exp run"):
            assert "all 4 runs were finished before" in said
        if "--claim" in command:
            assert re.search("^verdict +supported", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("relu-exp report nowhere", 2),
        ("relu-exp export --to csv nowhere", 2),
        ("relu-exp verify '다른 곳'", 2),
        ("relu-exp compare nowhere '다른 곳'", 2),
        ("relu-exp 'dataset.root=내 자료'", 2),
        ("relu-exp claim nobody-said-so", 2),
        ("relu-exp claim xavier-starves-relu --results '다른 곳/결과'", 0),
    ],
)
def test_commands_in_refusals_and_undecided_claims_work_when_pasted(home, shell, bad, code):
    printed = commands_in(shell(bad, home, code=code))
    assert printed
    for command in printed:
        if "자료" in command:  # the word that was meant, whatever becomes of it
            assert command == "relu-exp run 'dataset.root=내 자료'"
        else:  # to train all of it would take minutes
            shell(command + ("" if "list" in command else " --plan"), home)


SCRIPT = """
import sys
from relu_exp.cli import main
{entry}
words = ["run", "깊이 실험.yaml", "--plugin", "./활성 함수.py", "activation=relu,{name}"]
sys.exit(main([*words, "--workers", "2"]))
"""
ENTRY = """
from relu_exp.plugins import activation

@activation(formula="x", reference="none")
def mine(x):
    return 2 * x
"""
MEASURED = """
from relu_exp.plugins import measurement

@measurement("largest", "the largest output")
def largest(probe):
    return probe.a.flatten(1).amax(1)
"""


@pytest.fixture
def script_home(home: Path) -> Path:
    """Return the folder without a plugin that stands in the way of the standard library's json."""
    (home / "json.py").unlink()  # a script finds it first, before anything of the package runs
    return home


def test_a_script_without_a_main_guard_trains(script_home, shell):
    (script_home / "script.py").write_text(SCRIPT.format(entry="", name="tanh"), encoding="utf-8")
    said = shell(f"'{sys.executable}' script.py", script_home)
    assert "4/4 runs" in said
    assert "failed" not in said


@pytest.mark.parametrize(
    ("entry", "name", "added"),
    [(ENTRY, "mine", "activation mine"), (MEASURED, "tanh", "measurement largest")],
    ids=["activation", "measurement"],
)
def test_a_script_that_adds_what_its_workers_need_is_told_so_in_one_line(
    entry, name, added, script_home, shell
):
    (script_home / "script.py").write_text(SCRIPT.format(entry=entry, name=name), encoding="utf-8")
    said = shell(f"'{sys.executable}' script.py", script_home, code=2)
    assert f"script.py adds {added} and calls relu-exp without a main guard" in said
    assert "Traceback" not in said

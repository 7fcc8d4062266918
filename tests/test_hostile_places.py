"""A hostile surrounding: paths that cannot be, full outputs, little memory, plugins that exit."""

import os
import signal
import subprocess
import sys

import pytest

from relu_exp import cli
from relu_exp.cli.cancelling import cancelled_like_ctrl_c
from relu_exp.cli.errors import explain
from relu_exp.config import sweeps
from relu_exp.core.schema import UsageError
from relu_exp.results.store import Store

FULL = "/dev/full"


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = cli.main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def shell(words, **options):
    program = "import sys; from relu_exp.cli import main; sys.exit(main(sys.argv[1:]))"
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([sys.executable, "-c", program, *words], timeout=120, **options)


PATHS = {"x" * 300: "is too long", "a\udcff": "is not text in UTF-8", "a\0b": "null byte"}


@pytest.mark.parametrize("path", PATHS, ids=["long", "surrogate", "null"])
@pytest.mark.parametrize(
    "words",
    [
        ("report", "PATH"),
        ("verify", "PATH"),
        ("compare", ".", "PATH"),
        ("export", "--to", "csv", "PATH"),
        ("export", "--to", "csv", "--out", "PATH"),
        ("run", "--plan", "--results", "PATH"),
        ("list", "--results", "PATH"),
    ],
    ids=" ".join,
)
def test_a_path_that_no_system_has_is_one_line(said, words, path):
    code, out, err = said(*(path if word == "PATH" else word for word in words))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert PATHS[path] in err


@pytest.mark.skipif(not os.path.exists(FULL), reason="this system has no /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("words", [("list", "claims"), ("--version",)])
def test_a_full_standard_output_is_one_line(words, buffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with open(FULL, "w") as full:
        done = shell(words, stdout=full, env=environment)
    assert done.returncode == 2
    assert done.stderr == "relu-exp: error: output: No space left on device\n"


def test_a_reader_who_has_seen_enough_is_no_error():
    there, here = os.pipe()
    os.close(there)
    done = shell(("list",), stdout=here)
    os.close(here)
    assert done.stderr == ""


def test_without_a_standard_output_nothing_is_printed():
    done = shell(("list", "claims"), stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch.so: failed to map segment from shared object"),
        RuntimeError("can't start new thread"),
    ],
    ids=repr,
)
def test_too_little_memory_is_no_bug(error):
    message, code = explain(error, [], [])
    assert message.startswith("error: there is not enough memory")
    assert code == 2


def test_what_the_system_refuses_is_no_bug_and_a_bug_is():
    refused = OSError(30, "Read-only file system", "/a/b")
    assert explain(refused, [], []) == ("error: /a/b: Read-only file system", 2)
    assert "a bug" in explain(ValueError("no"), [], [])[0]


@pytest.mark.parametrize("line", ["sys.exit()", "sys.exit(0)", "raise SystemExit('bye')"])
@pytest.mark.parametrize("words", [("list",), ("run", "--plan"), ("report", "results")])
def test_a_plugin_that_exits_is_one_line(said, tmp_path, line, words):
    name = f"quits{abs(hash((line, words)))}"
    (tmp_path / f"{name}.py").write_text(f"import sys\n{line}\n")
    code, out, err = said(*words, "--plugin", name)
    assert (code, out) == (2, "")
    assert f"--plugin {name}: it ends the program when it is imported" in err


WRONG = {
    "num_steps: many": "num_steps=many",
    "activation: nonsense": "unknown activation",
    "activation.alpha: 1.0": "not a setting of relu",
    "no_such_key: 1": "unknown key",
}


@pytest.mark.parametrize("budget", [None, "quick"])
@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_of_another_budget_shows_at_once(tmp_path, budget, line):
    path = tmp_path / "mine.yaml"
    path.write_text(f"title: t\nsweep: {{seed: [0]}}\nbudgets: {{quick: {{}}, full: {{{line}}}}}\n")
    with pytest.raises(UsageError, match=WRONG[line]) as error:
        sweeps([str(path)], budget=budget)
    assert "full" in str(error.value)


REFUSED = ["dataset=fashion_mnist", "dataset.root=nowhere", "num_steps=1", "seed=0", "depth=1"]


def test_a_refused_command_leaves_no_folder(said, tmp_path):
    code, _, err = said("run", *REFUSED, "--workers", "1", "--results", "a/b")
    assert code == 2
    assert "is not in nowhere" in err
    assert list(tmp_path.iterdir()) == []


def test_a_refused_command_does_not_hide_what_others_saved(said, tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        "title: Tiny\nfigures: []\nsweep: {seed: [0]}\n"
        "overrides: {dataset: moons, width: 4, depth: 1, num_steps: 2, network.output: logits}\n"
    )
    assert said("run", "tiny.yaml", "--workers", "1")[0] == 0
    before = sorted(tmp_path.rglob("*"))
    words = ["dataset=fashion_mnist", "dataset.root=nowhere"]
    code, _, err = said("run", "tiny.yaml", "--workers", "1", *words)
    assert code == 2, err
    assert sorted(tmp_path.rglob("*")) == before
    assert said("report", "results/tiny")[0] == 0


def test_a_file_in_the_place_of_the_results_is_named_with_what_to_do(said, tmp_path):
    (tmp_path / "mine").write_text("precious")
    words = ["num_steps=1", "seed=0", "depth=1", "activation=relu", "--workers", "1"]
    code, out, err = said("run", *words, "--results", "mine")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "results cannot be written to mine/default" in err
    assert "--results DIR" in err
    assert (tmp_path / "mine").read_text() == "precious"


FAILS = """
from relu_exp.plugins import activation

@activation(formula="none", reference="none")
def fails(x):
    raise ValueError("this one always fails")
"""


def test_an_activation_that_raises_fails_its_own_runs_and_no_others(tmp_path):
    (tmp_path / "mine.py").write_text(FAILS)
    (tmp_path / "tiny.yaml").write_text(
        "title: Tiny\nfigures: []\nsweep: {activation: [fails, relu], seed: [0]}\n"
        "overrides: {dataset: moons, width: 4, depth: 1, num_steps: 2}\n"
    )
    words = ["run", "tiny.yaml", "--plugin", "./mine.py", "--workers", "1", "--device", "cpu"]
    done = shell(words, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "a bug" not in done.stderr
    assert "tiny: ValueError: this one always fails (fleets: 1)" in done.stderr
    ends = Store(tmp_path / "results/tiny").ends()
    assert sorted(end.status for end in ends.values()) == ["done", "failed"]


def test_a_refused_command_deletes_nothing_that_was_there(said, tmp_path):
    (tmp_path / "a/b/default/parts").mkdir(parents=True)
    (tmp_path / "a/b/default/notes").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert said("run", *REFUSED, "--workers", "1", "--results", "a/b")[0] == 2
    new = [path.name for path in sorted(tmp_path.rglob("*")) if path not in before]
    assert new == [".lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_ask_to_end_do_what_ctrl_c_does(number):
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), cancelled_like_ctrl_c():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
        # as nohup does
        signal.signal(number, signal.SIG_IGN)
        with cancelled_like_ctrl_c():
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)

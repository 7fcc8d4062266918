"""The command line as a person meets it: what it lists, trains and refuses, and in which words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relu_exp import __version__, cli

COMMANDS = ("run", "reproduce", "report", "list")
TINY = ["activation=relu,tanh", "initializer=he_normal", "depth=1", "width=8", "num_steps=3"]
TINY += ["learning_rate=0.1", "seed=0,1", "batch_size=32", "evaluations.steps=last"]


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def said(capsys):
    """Return a function that runs a command line and returns its exit code, stdout and stderr."""

    def run(*words):
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def shell(*words, **environment):
    command = [Path(sys.executable).with_name("relu-exp"), *words]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120
    )


BAD_USAGE = [
    # what the command line itself does not understand
    ("runn", "no such command runn (did you mean run?); valid: run, reproduce, report, list"),
    ("default", "(did you mean relu-exp run default?)"),
    ("depth=3", "(did you mean relu-exp run depth=3?)"),
    ("mine.yaml", "(did you mean relu-exp run mine.yaml?)"),
    ("--learning_rate=0.1", "settings have no dashes, write learning_rate=0.1"),
    ("run --learning_rate=0.1", "settings have no dashes, write learning_rate=0.1"),
    ("run --learning-rate 0.1", "settings have no dashes, write learning_rate=0.1"),
    ("run --activation.alpha=2", "settings have no dashes, write activation.alpha=2"),
    ("run --depth", "settings have no dashes, write depth=VALUE"),
    ("run -depth=3", "settings have no dashes, write depth=3"),
    ("run --depht=3", "(did you mean depth?)"),
    ("run -1", "settings are written as in learning_rate=0.1"),
    ("run --devcie cpu", "(did you mean --device?)"),
    ("run --device tpu", "valid: auto, cpu, cuda"),
    ("run --device cdua", "(did you mean cuda?)"),
    ("run --device", "--device"),
    ("run --workers 0", "--workers 0 is not valid: it must be a number from 1 to 10000"),
    ("run --workers two", "--workers two is not valid"),
    ("run --workers -2", "--workers -2 is not valid"),
    ("run --budget quik", "(did you mean quick?)"),
    ("reproduce --budget none", "valid: quick, standard, full"),
    ("reproduce default", "unexpected extra argument"),
    ("report a b", "unexpected extra argument"),
    ("report nowhere", "nowhere does not exist"),
    ("report .", "holds no results"),
    ("list activtions", "(did you mean activations?)"),
    ("list claims activations", "unexpected extra argument"),
    ("run --plan=yes", "--plan"),
    ("run --plugin no_such_module", "--plugin no_such_module: ModuleNotFoundError"),
    ("list --plugin no_such_module", "--plugin no_such_module: ModuleNotFoundError"),
    # experiments
    ("run defualt", "(did you mean default?)"),
    ("run default default", "named twice"),
    ("run absent.yaml", "absent.yaml: no such file"),
    ("run .", "unknown experiment"),
    ("run ./", "is a folder"),
    ("run depth", "depth is a key, not an experiment: write depth=VALUE"),
    # keys
    ("run depht=3", "unknown key 'depht' (did you mean depth?)"),
    ("run lr=0.1", "(did you mean learning_rate?)"),
    ("run =3", "=3"),
    ("run depth=2 depth=3", "depth is given twice"),
    ("run activation.slope=1", "activation.slope"),
    ("run hydra.run.dir=x", "hydra"),
    ("run +depth=3", "+depth=3"),
    ("run ~depth=3", "~depth=3"),
    ("run ++new=1", "++new=1"),
    # values
    ("run depth=-1", "depth=-1 is not valid: it must be at least 0"),
    ("run depth=2.5", "depth=2.5 is not valid: it must be a whole number"),
    ("run depth=deep", "depth=deep is not valid: it must be a whole number"),
    ("run depth=true", "depth"),
    ("run depth=null", "depth"),
    ("run width=0", "width=0 is not valid: it must be at least 1"),
    ("run learning_rate=nan", "learning_rate=nan is not valid"),
    ("run learning_rate=inf", "learning_rate=inf is not valid"),
    ("run learning_rate=0", "it must be above 0"),
    ("run learning_rate=-0.1", "learning_rate=-0.1 is not valid"),
    ("run learning_rate=1e400", "learning_rate"),
    ("run batch_size=0", "batch_size=0 is not valid"),
    ("run num_steps=-5", "num_steps=-5 is not valid"),
    ("run seed=-1", "seed=-1 is not valid"),
    ("run seed=1.5", "seed=1.5 is not valid"),
    ("run depth=", "depth"),
    ("run depth=[]", "depth"),
    ("run depth=2,2", "2"),
    ("run seed=range(0)", "seed"),
    ("run learning_rate=interval(0.1,1)", "interval"),
    ("run depth=choice(2,", "depth"),
    ("run learning_rate={a:1}", "learning_rate"),
    ("run activation=rleu", "unknown activation 'rleu' (did you mean relu?)"),
    ("run initializer=he", "unknown initializer 'he'"),
    ("run dataset=mnsit", "unknown dataset 'mnsit'"),
    ("run network=resnet", "unknown network 'resnet'"),
    ("run optimizer=adm", "(did you mean adam?)"),
    ("run activation=leaky_relu activation.negative_slope=steep", "activation.negative_slope"),
    ("run initializer=normal initializer.std=-1", "initializer.std"),
    ("run optimizer.momentum=2", "optimizer.momentum"),
    ("run network=document_cnn dataset=digits", "document_cnn"),
    ("run probes.steps=sometimes", "probes.steps"),
    # sizes
    ("run seed=range(2000000)", "480,000,000 runs: add --yes if you mean it"),
    ("run seed=range(2000000) --plan", "480,000,000 runs: add --yes if you mean it"),
    # places
    ("run --results /dev/null/results num_steps=0", "results cannot be written to /dev/null"),
    ("run --results /proc num_steps=0", "results cannot be written to /proc/default"),
    ("run dataset=cifar10 dataset.root=/nowhere --workers 1", "cifar10"),
]


@pytest.mark.parametrize(("line", "hint"), BAD_USAGE, ids=[line for line, _ in BAD_USAGE])
def test_bad_usage_is_one_line_that_helps_and_leaves_nothing_behind(said, line, hint, tmp_path):
    code, out, err = said(*line.split(" "))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("relu-exp: error: ")
    assert hint in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_gpu_that_is_not_there_is_refused(said, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, _, err = said("run", "--device", "cuda", *TINY)
    assert code == 2
    assert "no usable GPU" in err


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "empty"),
        ("- a\n- b", "a list"),
        ("title: x\nswep: {}", "(did you mean sweep?)"),
        ("title: [", "not valid YAML"),
        ("title: x\ntitle: y", "twice"),
        ("sweep: {depth: 1}", "no title"),
        ("title: x\nsweep: {depht: 1}", "(did you mean depth?)"),
        ("title: x\nsweep: {depth: -1}", "depth=-1 is not valid"),
        ("title: x\nsweep: {depth: []}", "depth"),
        ("title: x\nfigures: [no_such_figure]", "no_such_figure"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_by_its_name(said, tmp_path, text, hint):
    (tmp_path / "mine.yaml").write_text(text)
    code, out, err = said("run", "mine.yaml", "--plan")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mine.yaml" in err
    assert hint in err


def test_bad_usage_reaches_the_shell_as_one_line_and_exit_code_2():
    done = shell("run", "activation=rleu")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean relu?" in done.stderr


def test_debug_shows_the_traceback(said):
    code, _, err = said("run", "depth=-1", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("relu-exp: error: depth=-1")


def test_a_bug_is_one_line_and_exit_code_1(said, monkeypatch):
    def broken(*_):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("relu_exp.session.train", broken)
    code, _, err = said("run")
    assert code == 1
    assert err == (
        "relu-exp: error: RuntimeError: first line second line (a bug: --debug shows where)\n"
    )


def test_ctrl_c_before_training_is_one_line_and_exit_code_130(said, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("relu_exp.session.train", interrupted)
    assert said("run") == (130, "", "relu-exp: interrupted\n")


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_names_every_command(said, words):
    code, out, err = said(*words)
    assert (code, err) == (0, "")
    assert all(f"\n  {command} " in out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(said, command):
    code, out, _ = said(command, "--help")
    assert code == 0
    assert f"Usage: relu-exp {command}" in out


def test_help_loads_nothing_that_takes_long():
    program = (
        "import sys; from relu_exp import cli; cli.main(['run', '--help']);"
        "print(*[m for m in ('torch', 'pandas', 'matplotlib', 'hydra', 'pyarrow', 'rich')"
        " if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_the_version_is_the_package_s(said):
    assert said("--version") == (0, f"relu-exp {__version__}\n", "")


def test_the_shell_completes_commands_experiments_keys_and_values():
    def completed(*words):
        line = " ".join(("relu-exp", *words))
        done = shell(
            COMP_WORDS=line, COMP_CWORD=str(len(words)), _RELU_EXP_COMPLETE="complete_bash"
        )
        return done.stdout.split()

    assert completed("re") == ["reproduce", "report"]
    assert completed("run", "dep") == ["depth-limit", "depth="]
    assert completed("run", "--device", "c") == ["cpu", "cuda"]
    assert completed("list", "act") == ["activations"]


def test_a_list_names_what_can_be_run_and_what_it_rests_on(said):
    code, out, _ = said("list", "activations")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0
    assert {"relu", "tanh", "elu"} <= {name for _, name, *_ in lines}
    assert all(reference for *_, reference in lines)
    assert [each[2] for each in lines if each[1] == "leaky_relu"] == ["negative_slope=0.01"]


def test_a_list_of_everything_has_every_kind(said):
    code, out, _ = said("list")
    kinds = list(dict.fromkeys(line.split("\t")[0] for line in out.splitlines()))
    assert code == 0
    assert kinds[:3] == ["experiments", "activations", "initializers"]
    assert "default" in {line.split("\t")[1] for line in out.splitlines()}


def test_on_a_terminal_a_list_is_a_table(said, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _, out, _ = said("list", "optimizers")
    assert "momentum" in out
    assert "\t" not in out


def test_a_plan_says_what_is_due_and_writes_nothing(said, tmp_path):
    code, out, err = said("run", *TINY, "--plan", "--workers", "2")
    assert (code, err) == (0, "")
    assert "4: 4 new, 0 finished" in out
    assert list(tmp_path.iterdir()) == []


def test_a_plan_for_everything_covers_every_experiment(said):
    from relu_exp.config import experiments

    code, out, _ = said("reproduce", "--plan")
    assert code == 0
    assert all(experiment.title in out for experiment in experiments())

"""The command line as a person meets it: what it lists, trains and refuses, and in which words."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from relu_exp import __version__, cli
from relu_exp.cli.training import DEFAULT_BUDGET
from relu_exp.core.schema import TABLES, UsageError
from relu_exp.results.store import Store, new_session

PROGRAM = Path(sys.executable).with_name("relu-exp")
COMMANDS = ("run", "reproduce", "report", "list", "claim", "export", "check")
TINY = """
title: Tiny
question: Does it run?
overrides: {initializer: he_normal, width: 8, num_steps: 6, batch_size: 32}
sweep: {activation: [relu, tanh], depth: [1, 2], learning_rate: [0.1], seed: [0, 1]}
figures: [loss_curves]
"""


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    return ("run", "tiny.yaml", "--workers", "1")


@pytest.fixture
def said(capsys):
    """Return a function that runs a command line and returns its exit code, stdout and stderr."""

    def run(*words):
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def shell(*words, **environment):
    return subprocess.run(
        [PROGRAM, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


BAD_USAGE = [
    # what the command line itself does not understand
    ("runn", "no such command runn (did you mean run?); valid: run, reproduce, report,"),
    ("default", "(did you mean `relu-exp run default`?)"),
    ("depth=3", "(did you mean `relu-exp run depth=3`?)"),
    ("mine.yaml", "(did you mean `relu-exp run mine.yaml`?)"),
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
    ("run --plugin no_such_module", "--plugin no_such_module: there is no module no_such_module"),
    ("list --plugin no_such_module", "--plugin no_such_module: there is no module no_such_module"),
    # experiments
    ("run defualt", "(did you mean default?)"),
    ("run default default", "given twice"),
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
    ("run seed=range(5000)", "1,200,000 runs: add --yes to train so many"),
    ("run seed=range(5000) --plan", "1,200,000 runs: add --yes to train so many"),
    # places
    ("run --results /dev/null/results num_steps=0", "results cannot be written to /dev/null"),
    ("run --results /proc num_steps=0", "results cannot be written to /proc/default"),
    ("run dataset=cifar10 dataset.root=/nowhere --workers 1", "dataset.download=true"),
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
    code, _, err = said("run", "--device", "cuda")
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
    done = shell("run", "--learning_rate=0.1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "write learning_rate=0.1" in done.stderr


def test_debug_shows_the_traceback(said):
    code, _, err = said("run", "depth=-1", "--debug")
    assert code == 2
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("relu-exp: error: depth=-1")


def test_a_bug_is_one_line_and_exit_code_1(said, monkeypatch):
    def broken(*_):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("relu_exp.session.session.train", broken)
    code, _, err = said("run")
    assert code == 1
    assert err == (
        "relu-exp: error: RuntimeError: first line second line (a bug: --debug shows where)\n"
    )


def test_ctrl_c_before_training_is_one_line_and_exit_code_130(said, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("relu_exp.session.session.train", interrupted)
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


def test_python_m_is_the_same_command():
    words = [sys.executable, "-m", "relu_exp"]
    done = subprocess.run([*words, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"relu-exp {__version__}\n")
    done = subprocess.run([*words, "lst"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "did you mean list?" in done.stderr


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


def test_on_a_terminal_the_list_of_a_kind_explains_settings_and_names(said, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "300")
    _, out, _ = said("list", "initializers")
    (line,) = (line for line in out.splitlines() if line.split()[:1] == ["normal"])
    assert "std=0.01: standard deviation; at least 0" in line
    _, out, _ = said("list", "activations")
    (line,) = (line for line in out.splitlines() if line.split()[:1] == ["leaky_relu"])
    assert "leaky ReLU" in line


def test_a_plan_says_what_is_due_and_writes_nothing(said, tiny, tmp_path):
    code, out, err = said(*tiny, "--plan")
    assert (code, err) == (0, "")
    assert "8: 8 new, 0 finished" in out
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_a_cluster_is_planned_without_asking_this_machine(said, monkeypatch):
    for name in ("_free", "_left_to_group"):
        monkeypatch.setattr(f"relu_exp.planning.memory.{name}", lambda: 1e9)
    words = ("run", "--plan", "launcher=slurm", "launcher.num_workers=50", "seed=range(4)")
    for device in ("cpu", "cuda"):  # which this machine may not have
        code, out, err = said(*words, "--device", device)
        assert code == 0, err
        found = [re.search(rf"{key} +(\d+)", out) for key in ("runs", "fleets")]
        num_runs, num_fleets = (int(each[1]) for each in found)
        assert num_fleets <= num_runs / 4


def test_a_plan_for_everything_covers_every_experiment(said):
    from relu_exp.config import experiments

    code, out, err = said("reproduce", "--plan")
    assert code == 0
    for experiment in experiments():
        is_left_out = DEFAULT_BUDGET in experiment.skipped_in
        assert (experiment.title in out, experiment.name in err) == (not is_left_out, is_left_out)


def test_a_claims_command_goes_on_without_what_is_no_part_of_its_budget(said):
    words = ["--budget", "quick", "--claim", "relu-six-times-faster", "--plan"]
    code, out, err = said("run", "convergence-cnn", "convergence-fashion", *words)
    assert code == 0
    assert "not part of the quick budget: convergence-fashion" in err
    assert "Updates to a given error of a convolutional network" in out
    code, out, err = said("run", "convergence-fashion", *words)
    assert (code, out) == (2, "")
    assert err.endswith("valid: --budget standard, --budget full, no --budget\n")


def numbers(root):
    """Return all that was measured, by table and row, without what differs between sessions."""
    found = {}
    for table in TABLES:
        rows = [row for part in Store(root).read(table) for row in part.to_pylist()]
        for row in rows:
            for column in ("seconds", "fleet_id", "session"):
                row.pop(column, None)
        # a fleet tabulates the functions of its own activations: the same one in several parts
        found[table] = sorted({repr(row) for row in rows})
    return found


def test_a_sweep_is_trained_once_and_added_to(said, tiny):
    root = Path("results/tiny")
    code, out, _ = said(*tiny)
    assert code == 0
    assert "report: results/tiny/report.html" in out
    assert {"report.html", "report.md", "figures"} <= set(os.listdir(root))
    parts = Store(root).part_ids()
    assert len(Store(root).finished()) == 8

    code, out, _ = said(*tiny)
    assert code == 0
    assert "tiny: all 8 runs were finished before: nothing to train" in out
    assert Store(root).part_ids() == parts

    code, _, err = said(*tiny, "seed=0,1,2")
    assert code == 0
    assert "4/4 runs" in err
    assert len(Store(root).finished()) == 12
    assert set(parts) < set(Store(root).part_ids())


def test_a_run_reports_in_the_language_asked_for(said, tiny, tmp_path):
    (tmp_path / "tiny.yaml").write_text(f"{TINY}\ntitle_ko: 작은 실험\n", encoding="utf-8")
    code, out, _ = said(*tiny, "--language", "ko")
    assert code == 0
    assert "활성화 함수" in out
    page = Path("results/tiny/report.html").read_text(encoding="utf-8")
    assert '<html lang="ko">' in page
    assert "<h1>작은 실험</h1>" in page
    assert "<code>relu-exp report --language ko results/tiny</code>" in page


def test_the_manifest_says_what_was_asked_for_and_by_which_command(said, tiny):
    said(*tiny, "depth=1", "activation=leaky_relu", "activation.negative_slope=0.1,0.2")
    manifest = Store(Path("results/tiny")).latest_manifest()
    assert manifest["command"] == (
        "relu-exp run tiny.yaml depth=1 activation=leaky_relu activation.negative_slope=0.1,0.2"
    )
    assert (manifest["title"], manifest["question"]) == ("Tiny", "Does it run?")
    assert (manifest["experiment"], manifest["device"]) == ("tiny", "cpu")
    assert set(manifest["run_ids"]) == Store(Path("results/tiny")).finished()
    assert {"commit", "dirty", "packages", "machine", "started"} <= set(manifest)


def test_results_are_the_same_in_one_process_and_in_several(said, tiny):
    said(*tiny, "--results", "one")
    said("run", "tiny.yaml", "--workers", "2", "--results", "two")
    assert numbers(Path("one/tiny")) == numbers(Path("two/tiny"))


def test_a_run_that_fails_is_told_and_the_exit_code_is_1(said, tiny, monkeypatch):
    from relu_exp.engine import training

    train_fleet = training.train_fleet

    def broken(runs, *rest):
        if any(run.seed == 1 and run.depth == 2 for run in runs):
            raise ArithmeticError("seven is not prime")
        return train_fleet(runs, *rest)

    monkeypatch.setattr(training, "train_fleet", broken)
    code, out, err = said(*tiny)
    assert code == 1
    assert "ArithmeticError: seven is not prime" in err
    assert "report: " in out
    assert len(Store(Path("results/tiny")).finished()) == 6


def test_a_plugin_s_activation_is_listed_and_trained_like_any_other(tiny, tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "add-an-activation.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "my_activation.py").write_text(code)
    # commands of their own: what a plugin registers would stay in this process
    *_, name = re.findall(r"def (\w+)", code)
    listed = shell("list", "activations", "--plugin", "my_activation").stdout
    assert f"activations\t{name}\t" in listed
    done = shell(
        "run", "tiny.yaml", f"activation={name}", "--plugin", "my_activation", "--workers", "2"
    )
    assert done.returncode == 0, done.stderr
    assert len(Store(Path("results/tiny")).finished()) == 4


def test_a_large_sweep_asks_for_yes(said, tiny, monkeypatch):
    monkeypatch.setattr("relu_exp.session.tasks.ASK_FROM", 7)
    code, _, err = said(*tiny)
    assert code == 2
    assert "8 runs: add --yes" in err
    assert not Path("results").exists()
    assert said(*tiny, "--yes", "--plan")[0] == 0


def test_a_damaged_part_is_named_and_once_deleted_only_its_runs_are_trained(said, tiny):
    said(*tiny)
    expected, store = numbers(Path("results/tiny")), Store(Path("results/tiny"))
    part = store.parts / store.part_ids()[0]
    (part / "runs.parquet").write_bytes(b"damaged")
    for words in (tiny, (*tiny, "--plan"), ("report",)):
        code, out, err = said(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"delete the folder {part}" in err
    shutil.rmtree(part)
    assert said(*tiny)[0] == 0
    assert numbers(Path("results/tiny")) == expected


def test_results_of_another_schema_version_are_left_alone(said, tiny):
    store = Store(Path("results/tiny"))
    store.write_manifest({"session": new_session(), "schema_version": 0})
    for words in (tiny, (*tiny, "--plan")):
        code, out, err = said(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "schema version 0" in err
    assert store.part_ids() == []


def test_a_full_disk_is_one_line_and_what_was_saved_stays(said, tiny, monkeypatch):
    write_part = Store.write_part
    saved = []

    def full(store, part_id, tables):
        if saved:
            raise UsageError(f"cannot write results to {store.root}: No space left on device")
        saved.append(part_id)
        write_part(store, part_id, tables)

    monkeypatch.setattr(Store, "write_part", full)
    code, _, err = said(*tiny)
    assert code == 2
    assert err == "relu-exp: error: cannot write results to results/tiny: No space left on device\n"
    assert Store(Path("results/tiny")).part_ids() == saved


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_continues(said, tiny, monkeypatch):
    from relu_exp.engine import training

    said(*tiny, "--results", "whole")
    train_fleet = training.train_fleet

    def interrupted(runs, *rest):
        if runs[0].depth == 1:
            raise KeyboardInterrupt
        return train_fleet(runs, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_fleet", interrupted)
        assert said(*tiny) == (
            130,
            "",
            "relu-exp: interrupted: 4 finished runs are kept; run the same command to continue\n",
        )
    code, _, err = said(*tiny)
    assert code == 0
    assert "4/4 runs" in err
    assert numbers(Path("results/tiny")) == numbers(Path("whole/tiny"))


def test_a_sweep_that_was_killed_gives_what_one_that_was_not_gives(said, tiny):
    words = ["run", "tiny.yaml", "num_steps=200", "launcher.fleet_size=1"]
    said(*words, "--workers", "1", "--results", "whole")
    store = Store(Path("results/tiny"))
    with subprocess.Popen([PROGRAM, *words, "--workers", "2"], stderr=subprocess.PIPE) as process:
        while not store.part_ids() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    assert 0 < len(store.finished()) < 8
    assert said(*words, "--workers", "1")[0] == 0
    assert numbers(store.root) == numbers(Path("whole/tiny"))


def test_a_report_needs_neither_torch_nor_hydra(said, tiny):
    said(*tiny)
    Path("results/tiny/report.html").unlink()
    program = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "hydra", "omegaconf"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from relu_exp import cli
sys.exit(cli.main(["report"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path("results/tiny/report.html").exists()
    assert Path("results/README.md").exists()


def test_reproduce_runs_every_experiment_and_links_their_reports(said, monkeypatch):
    names = ("activation-functions", "vanishing-gradients")
    monkeypatch.setattr("relu_exp.config.experiment_names", lambda: names)
    code, out, err = said("reproduce", "--budget", "quick")
    assert code == 0, err
    assert all(f"report: results/{name}/report.html" in out for name in names)
    assert "all on one page: results/report.html" in out
    assert "against│for" in out.split("all on one page: ")[1]
    manifest = Store(Path("results/vanishing-gradients")).latest_manifest()
    assert manifest["command"] == "relu-exp run vanishing-gradients --budget quick"

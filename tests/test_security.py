"""Configurations and results are data: hostile ones end in one line, and nothing else happens."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import relu_exp
from relu_exp import cli
from relu_exp.core.schema import Choice
from relu_exp.evidence.report.pages import escape_markdown, markdown_code
from relu_exp.results import reading
from relu_exp.results.store import Store, arrow_schema

import synthetic

CLAIM = "relu-computes-faster"
EXPERIMENT = """
title: Tiny
question: Is it safe?
overrides: {dataset: moons, width: 4, depth: 1, num_steps: 2, network.output: logits}
sweep: {seed: [0, 1]}
figures: [loss_curves]
"""


def snapshot(folder):
    """Return everything below a folder: what it is, what it links to, what it holds."""
    return {
        path: (path.lstat().st_mode, os.readlink(path) if path.is_symlink() else None)
        + ((path.read_bytes(),) if path.is_file() and path.stat().st_size < 10**6 else ())
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def said(capsys):
    def run(*words):
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


# Fifty hostile configurations ---------------------------------------------------------------

HEAD = "title: t\noverrides: {num_steps: 1}\nfigures: []\n"
SWEEPS = {
    # code
    "_target_: [os.system]": "unknown key",
    "activation: {_target_: os.system, _args_: [touch pwned]}": "not a setting of relu",
    "activation._target_: [os.system]": "not a setting of relu",
    "activation._partial_: [true]": "not a setting of relu",
    "activation.__class__: [x]": "not a setting of relu",
    "initializer: [os.system]": "unknown initializer 'os.system'",
    "optimizer: [torch.optim.SGD]": "unknown optimizer",
    "network.output: [os.system]": "network.output",
    'seed: [\'__import__("os").system("touch pwned")\']': "Hydra's grammar",
    "seed: [!!python/object/apply:os.system ['touch pwned']]": "is not valid YAML",
    "seed: !!python/object/new:os.system [touch pwned]": "is not valid YAML",
    "seed: [!!python/name:os.system '']": "is not valid YAML",
    "seed: [!!python/module:os '']": "is not valid YAML",
    "seed: !!python/tuple [1, 2]": "is not valid YAML",
    "seed: [!evil 1]": "is not valid YAML",
    # the environment, other values, resolvers
    "seed: '${oc.env:HOME}'": "interpolations are not supported",
    "seed: ['${oc.env:HOME}']": "interpolations are not supported",
    "seed: ['${oc.decode:1}']": "interpolations are not supported",
    "seed: ['${eval:1}']": "interpolations are not supported",
    "seed: ['${width}']": "interpolations are not supported",
    "seed: ['\"${width}\"']": "interpolations are not supported",
    "activation: ['${oc.env:HOME}']": "interpolations are not supported",
    "dataset.num_samples: ['${hydra:run.dir}']": "interpolations are not supported",
    # Hydra
    "hydra.run.dir: [elsewhere]": "configures Hydra",
    "hydra.output_subdir: [../elsewhere]": "configures Hydra",
    "hydra.searchpath: [file:///tmp]": "configures Hydra",
    "hydra/launcher: [submitit]": "configures Hydra",
    "hydra.job.chdir: [true]": "configures Hydra",
    "defaults: [/etc/passwd]": "unknown key",
    "activation: [../../../etc/passwd]": "unknown activation",
    "initializer: [/etc/passwd]": "unknown initializer",
    "launcher: [../activation/relu]": "unknown launcher",
    "activation@_global_: [relu]": "packages are not supported",
    "+new: [1]": "unknown key",
    "~seed: [1]": "unknown key",
    # places and sizes
    "dataset.download: [true]": "belongs on the command line",
    "dataset.root: [elsewhere], dataset: {download: true}": "belongs on the command line",
    "seed: range(1000000000000)": "add --yes",
    "seed: [99999999999999999999999999]": "must be",
    "width: [1000000000000]": "must be",
    "depth: [100000000]": "must be",
    "launcher.num_workers: [1000000000]": "must be",
}
FILES = {
    "_target_: os.system\n": "unknown key",
    "results: /tmp\n": "unknown key",
    "plugin: os\n": "unknown key",
    "hydra: {run: {dir: /tmp}}\n": "unknown key",
    "defaults: [/etc/passwd, _self_]\n": "unknown key",
    "figures: ['../../x']\n": "unknown figure",
    "studies: ['../../evil']\n": "unknown study",
    "exclude: [{seed: 'range(20000)'}]\n": "more than the limit of 10,000",
    "studies: ['os:system']\n": "unknown study",
    "budgets: {full: {dataset.download: true}}\n": "belongs on the command line",
    'question: "\\e]0;pwned\\a"\n': "unprintable character",
    "question: &a [*a]\n": "aliases are not supported",
    "sweep: &b {seed: [0]}\nbudgets: {<<: *b}\n": "aliases are not supported",
    "---\ntitle: again\n": "is not valid YAML",
    f"sweep: {'[' * 50_000}\n": "is not valid YAML",
    f"sweep: {{seed: [{'9' * 5000}]}}\n": "is not valid YAML",
}


@pytest.fixture
def refused(said, tmp_path, monkeypatch):
    """Return a function that runs an experiment file, which must change nothing at all."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(text, *words):
        Path("evil.yaml").write_text(text)
        before = snapshot(tmp_path)
        code, out, err = said("run", "evil.yaml", "--workers", "1", *words)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert snapshot(tmp_path) == before
        return err

    return run


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_hostile_sweep_is_one_line(refused, sweep):
    assert SWEEPS[sweep] in refused(f"{HEAD}sweep: {{{sweep}}}\n")


@pytest.mark.parametrize("lines", FILES, ids=lambda lines: lines[:40])
def test_a_hostile_file_is_one_line(refused, lines):
    key = lines.partition(":")[0]
    head = "".join(f"{line}\n" for line in HEAD.splitlines() if not line.startswith(f"{key}:"))
    assert FILES[lines] in refused(head + lines)


OVERRIDES = [
    "hydra.run.dir=elsewhere",
    "--config-dir=/etc",
    "--config-path=/etc",
    "--config-name=passwd",
    "--multirun",
    "-cd=/etc",
    "activation=../../../etc/passwd",
    "seed=${oc.env:HOME}",
    "seed=${oc.create:{a:1}}",
    "dataset.root=${oc.env:HOME}",
    "activation._target_=os.system",
    "+activation._target_=os.system",
    "hydra/launcher=joblib",
    "hydra.callbacks.evil._target_=os.system",
    "hydra.sweeper.params.x=1",
    "network@hydra=mlp",
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_hostile_override_is_one_line(refused, override):
    refused(f"{HEAD}sweep: {{seed: [0]}}\n", override)


@pytest.mark.parametrize(
    "name", ["...yaml", "....yaml", ".yaml", "..\\..\\x.yaml", "~.yaml", "$HOME.yaml"]
)
def test_whatever_a_file_is_called_its_results_stay_in_the_results(
    said, tmp_path, monkeypatch, name
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path(name).write_text(EXPERIMENT)
    before = snapshot(tmp_path)
    code, _, err = said("run", f"./{name}", "--results", "results", "--workers", "1")
    assert code == 0, err
    new = [path for path in snapshot(tmp_path) if path not in before]
    assert all(path.is_relative_to(tmp_path / "here/results") for path in new)
    assert len(list(Path("results").iterdir())) == 1


def test_a_folder_that_one_stands_in_lends_no_code(tmp_path):
    """Hydra imports what it finds as hydra_plugins, pandas and others what they would like to."""
    mine = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"
    (tmp_path / "hydra_plugins").mkdir()
    for name in ("hydra_plugins/evil", "hydra_plugins/__init__", "numexpr", "bottleneck", "ray"):
        (tmp_path / f"{name}.py").write_text(mine)
    (tmp_path / "tiny.yaml").write_text(EXPERIMENT)
    # started as an installed command is: its own folder is on the path, this one is not
    program = tmp_path / "bin" / "relu-exp"
    program.parent.mkdir()
    program.write_text("import sys; from relu_exp.cli import main; sys.exit(main())")
    done = subprocess.run(
        [sys.executable, program, "run", "tiny.yaml", "--workers", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.ran"))


# Fifty damaged result sets ------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a result set and its verdicts once; every test damages a copy."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(EXPERIMENT)
    words = [str(folder / "tiny.yaml"), "--workers", "1", "--results", str(folder / "results")]
    assert cli.main(["run", *words]) == 0
    verdict = {"claim": CLAIM, "verdict": "supported", "says": "", "cells": [], "notes": []}
    (folder / "results/verdicts.json").write_text(json.dumps([verdict]))
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """Return a folder that holds the results, another copy, and something to be left alone."""
    shutil.copytree(made, tmp_path / "here")
    shutil.copytree(made / "results", tmp_path / "here/other")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("precious")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


COMMANDS = {
    "list": ("list", "claims"),
    "claim": ("claim", CLAIM),
    "compare": ("compare", "other", "results"),
    "verify": ("verify", "results", "--seed", "0"),
    "report alone": ("report", "results/tiny"),
    "report": ("report", "results"),
    # the last, because it may put things right
    "run": ("run", "tiny.yaml", "--workers", "1"),
}
READS_RUNS = ("report", "report alone", "run", "verify", "compare")
READS_TABLES = ("report", "report alone", "verify")
READS_VERDICTS = ("list", "claim", "compare")
VERIFIES = ("verify",)


HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
WRITTEN = (
    *("figures", "report.html", "report.md", "claims.md", "README.md"),
    *(f"verdicts.{ending}" for ending in ("json", "csv", "svg", "png")),
)
"""What a report may replace."""


def part(table="runs"):
    (folder,) = Path("results/tiny/parts").iterdir()
    return folder / f"{table}.parquet"


def manifest():
    (path,) = Path("results/tiny/manifests").glob("*.json")
    return path


def put(table, schema=None, **columns):
    """Write a table in which some columns have other values, or another schema."""
    path = part(table)
    old = pq.read_table(path)
    rows = [{**row, **columns} for row in old.to_pylist()]
    new = pa.Table.from_pylist(rows, schema=schema or old.schema)
    pq.write_table(new, path)


def add(table, **columns):
    """Write a table with one row more, of the first run."""
    old = pq.read_table(part(table))
    (run_id, *_) = pq.read_table(part("runs"))["run_id"].to_pylist()
    rows = [*old.to_pylist(), {"run_id": run_id, **columns}]
    pq.write_table(pa.Table.from_pylist(rows, schema=old.schema), part(table))


def state(**fields):
    path = manifest()
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def tell(**fields):
    path = Path("results/verdicts.json")
    (row,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**row, **fields}]))


def elsewhere():
    """Have the experiment's folder lie outside the results."""
    shutil.move("results/tiny", "../precious/tiny")
    Path("results/tiny").symlink_to("../../precious/tiny")


def checkpoints_elsewhere():
    """Have the checkpoints lie where somebody has old files of such names."""
    for name in (".bashrc", "model.pt"):
        Path("../precious", name).write_text("precious")
        os.utime(Path("../precious", name), (0, 0))
    shutil.rmtree("results/tiny/checkpoints", ignore_errors=True)
    Path("results/tiny/checkpoints").symlink_to("../../../precious")


def lock_elsewhere():
    """Have the lock be another name of somebody's file."""
    Path("results/tiny/.lock").unlink()
    os.link("../precious/file", "results/tiny/.lock")


def job_elsewhere():
    """Have the folder of a job lie where somebody has a file of the name of its marker."""
    Path("../precious/job").mkdir()
    Path("../precious/job/submitted").write_text("precious")
    Path("results/tiny/jobs").mkdir()
    Path("results/tiny/jobs/a job").symlink_to("../../../../precious/job")


def session_a_pipe():
    """Have rows name a manifest that never ends."""
    os.mkfifo("../precious/pipe.json")
    put("runs", session="../../../../precious/pipe")


def twice(table):
    """Write every row of a table twice."""
    old = pq.read_table(part(table))
    pq.write_table(pa.concat_tables([old, old]), part(table))


def put_in_place(path, make):
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


def flood(table):
    """Write a few kilobytes that are 100 GB when they are read."""
    schema = arrow_schema(table)
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), ["x" * 500_000])
    columns = [long if field.name == "error" else pa.nulls(200_000, field.type) for field in schema]
    plain = pa.Table.from_arrays(columns, names=schema.names)
    pq.write_table(plain.replace_schema_metadata(schema.metadata), part(table), store_schema=False)


def many_rows(table):
    """Have the footer declare more rows than any memory holds."""
    path = part(table)
    with pq.ParquetFile(path) as file:
        num_rows = file.metadata.num_rows
    content = path.read_bytes()
    size = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - size : -8]
    # thrift's compact protocol: field 3, a zigzag varint; num_rows follows the schema
    wrong = bytes([0x16]) + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    place = footer.index(bytes([0x16, 2 * num_rows, 0x19]))
    footer = footer[:place] + wrong + footer[place + 2 :]
    path.write_bytes(
        content[: -8 - size] + footer + len(footer).to_bytes(4, "little") + content[-4:]
    )


def link(target):
    return lambda path: path.symlink_to(target)


DAMAGES = {
    # Parquet that is none, or not what it says
    "runs empty": (lambda: part().write_bytes(b""), READS_RUNS),
    "runs garbage": (lambda: part().write_bytes(os.urandom(1000)), READS_RUNS),
    "runs magic": (lambda: part().write_bytes(b"PAR1" + bytes(100) + b"PAR1"), READS_RUNS),
    "runs cut": (lambda: part().write_bytes(part().read_bytes()[:-100]), READS_RUNS),
    "runs footer": (
        lambda: part().write_bytes(part().read_bytes()[:-8] + b"\xff\xff\xff\x7fPAR1"),
        READS_RUNS,
    ),
    "runs missing": (lambda: part().unlink(), READS_RUNS),
    "runs folder": (lambda: put_in_place(part(), Path.mkdir), READS_RUNS),
    "runs pipe": (lambda: put_in_place(part(), os.mkfifo), READS_RUNS),
    "runs device": (lambda: put_in_place(part(), link("/dev/zero")), READS_RUNS),
    "runs nowhere": (lambda: put_in_place(part(), link("nowhere")), READS_RUNS),
    "runs in a circle": (lambda: put_in_place(part(), link("runs.parquet")), READS_RUNS),
    "runs pickle": (
        lambda: part().write_bytes(b"cos\nsystem\n(S'touch ../../../pwned'\ntR."),
        READS_RUNS,
    ),
    "runs other columns": (
        lambda: pq.write_table(pa.table({"run_id": ["x"]}), part()),
        READS_RUNS,
    ),
    "runs no version": (
        lambda: pq.write_table(pq.read_table(part()).replace_schema_metadata(None), part()),
        READS_RUNS,
    ),
    "runs other version": (
        lambda: pq.write_table(
            pq.read_table(part()).replace_schema_metadata({"relu_exp_schema": "99"}), part()
        ),
        READS_RUNS,
    ),
    "runs other types": (
        lambda: put(
            "runs",
            pa.schema(
                [
                    field.with_type(pa.string()) if field.name == "depth" else field
                    for field in arrow_schema("runs")
                ],
                metadata=arrow_schema("runs").metadata,
            ),
            depth="1",
        ),
        READS_RUNS,
    ),
    "runs flood": (lambda: flood("runs"), (*READS_RUNS[:2], "verify", "compare")),
    "runs declares too much": (lambda: many_rows("runs"), READS_RUNS),
    "curves cut": (
        lambda: part("curves").write_bytes(part("curves").read_bytes()[:-20]),
        READS_TABLES,
    ),
    "curves flipped": (
        lambda: part("curves").write_bytes(
            part("curves").read_bytes()[:40] + bytes(200) + part("curves").read_bytes()[240:]
        ),
        READS_TABLES,
    ),
    "curves another table": (lambda: shutil.copy(part("layers"), part("curves")), READS_TABLES),
    "curves declares too much": (lambda: many_rows("curves"), VERIFIES),
    # values that no engine wrote
    "status": (lambda: put("runs", status="pwned"), ("report", "report alone", "compare")),
    "no activation": (lambda: put("runs", activation=None), READS_RUNS),
    "settings no JSON": (
        lambda: put("runs", activation_settings="{"),
        READS_RUNS,
    ),
    "settings deep": (
        lambda: put("runs", activation_settings="[" * 10**5),
        READS_RUNS,
    ),
    "settings a list": (
        lambda: put("runs", dataset_settings="[1]"),
        READS_RUNS,
    ),
    "steers the terminal": (
        lambda: put("runs", activation="\x1b]0;pwned\x07"),
        READS_RUNS,
    ),
    "depth": (lambda: put("runs", depth=-1), READS_RUNS),
    "width": (lambda: put("runs", width=2**31 - 1), READS_RUNS),
    "learning rate": (
        lambda: put("runs", learning_rate=float("inf")),
        READS_RUNS,
    ),
    "seed": (lambda: put("runs", seed=None), READS_RUNS),
    "session elsewhere": (lambda: put("runs", session="../../../precious/file"), ()),
    "session a pipe": (session_a_pipe, ()),
    "another run": (lambda: put("runs", learning_rate=0.123), READS_RUNS),
    "run id elsewhere": (lambda: put("runs", run_id="b/../../../../../pwned"), READS_RUNS),
    "runs twice": (lambda: twice("runs"), READS_RUNS),
    "curves twice": (lambda: twice("curves"), READS_TABLES[:2]),
    "layers twice": (lambda: twice("layers"), READS_TABLES[:2]),
    "split": (lambda: put("curves", split="../x"), READS_TABLES[:2]),
    "step": (lambda: put("curves", step=-1), READS_TABLES[:2]),
    "histograms": (
        lambda: add("histograms", step=0, layer=1, kind="activation", counts=[1]),
        VERIFIES,
    ),
    "dead units": (
        lambda: add("dead_units", step=0, layer=1, num_units=2**31 - 1, mask=b"x"),
        VERIFIES,
    ),
    # manifests
    "manifest empty": (lambda: manifest().write_text(""), READS_RUNS),
    "manifest no JSON": (lambda: manifest().write_text("{"), READS_RUNS),
    "manifest binary": (lambda: manifest().write_bytes(b"\xff\xfe\x00"), READS_RUNS),
    "manifest a list": (lambda: manifest().write_text("[]"), READS_RUNS),
    "manifest deep": (lambda: manifest().write_text("[" * 10**6), READS_RUNS),
    "manifest huge": (lambda: os.truncate(manifest(), 10**12), READS_RUNS),
    "manifest long number": (
        lambda: manifest().write_text('{"looks": %s}' % ("9" * 10**5)),
        READS_RUNS,
    ),
    "manifest folder": (lambda: put_in_place(manifest(), Path.mkdir), READS_RUNS),
    "manifest pipe": (lambda: put_in_place(manifest(), os.mkfifo), READS_RUNS),
    **{
        f"manifest {key} {value!r:.10}": (
            lambda key=key, value=value: state(**{key: value}),
            READS_RUNS,
        )
        for key, value in {
            "schema_version": "1",
            "session": "../../x",
            "title": ["t"],
            "question": {"a": 1},
            "command": 3,
            "figures": [["loss_curves"]],
            "thresholds": {"train_loss": ["x"]},
            "axes": [1],
            "budget": {},
            "run_ids": [{}],
            "studies": {"formulas": "../../../precious"},
            "device": None,
            "packages": {"torch": {}},
            "machine": "m",
            "looks": -1,
            "dirty": "yes",
            "python": 3.11,
            "commit": ["x"],
            "fingerprint": [],
        }.items()
    },
    # folders
    "parts a file": (lambda: Path("results/tiny/parts/extra").write_text(""), READS_RUNS),
    "part elsewhere": (
        lambda: Path("results/tiny/parts/extra").symlink_to("../../../../precious"),
        READS_RUNS,
    ),
    "parts elsewhere": (
        lambda: put_in_place(Path("results/tiny/parts"), link("../../../precious")),
        ("run",),
    ),
    "manifests elsewhere": (
        lambda: put_in_place(Path("results/tiny/manifests"), link("../../../precious")),
        ("run",),
    ),
    "checkpoints elsewhere": (checkpoints_elsewhere, ("run",)),
    "jobs elsewhere": (
        lambda: Path("results/tiny/jobs").symlink_to("../../../precious"),
        ("run",),
    ),
    "lock elsewhere": (
        lambda: put_in_place(Path("results/tiny/.lock"), link("../../../precious/file")),
        ("run",),
    ),
    "lock somebody's file": (lock_elsewhere, ()),
    "job elsewhere": (job_elsewhere, ("run",)),
    "report's lock elsewhere": (
        lambda: Path("results/tiny/.report.lock").symlink_to("../../../precious/file"),
        ("report", "report alone", "run"),
    ),
    "experiment elsewhere": (elsewhere, ("verify", "report", "run")),
    "leftover elsewhere": (
        lambda: (
            Path("results/tiny/parts/.old").symlink_to("../../../../precious"),
            os.utime("results/tiny/parts/.old", (0, 0), follow_symlinks=False),
        ),
        (),
    ),
    "report a folder": (
        lambda: put_in_place(Path("results/tiny/report.html"), Path.mkdir),
        ("report", "report alone"),
    ),
    "report elsewhere": (
        lambda: put_in_place(Path("results/tiny/report.html"), link("../../../precious/file")),
        (),
    ),
    "figures elsewhere": (
        lambda: put_in_place(Path("results/tiny/figures"), link("../../../precious")),
        (),
    ),
    # verdicts
    "verdicts no JSON": (lambda: Path("results/verdicts.json").write_text("[{"), READS_VERDICTS),
    "verdicts a mapping": (lambda: Path("results/verdicts.json").write_text("{}"), READS_VERDICTS),
    "verdicts texts": (lambda: Path("results/verdicts.json").write_text('["x"]'), READS_VERDICTS),
    "verdicts deep": (
        lambda: Path("results/verdicts.json").write_text("[" * 10**6),
        READS_VERDICTS,
    ),
    "verdicts huge": (lambda: os.truncate("results/verdicts.json", 10**12), READS_VERDICTS),
    "verdicts folder": (
        lambda: put_in_place(Path("results/verdicts.json"), Path.mkdir),
        READS_VERDICTS,
    ),
    "verdicts pipe": (
        lambda: put_in_place(Path("results/verdicts.json"), os.mkfifo),
        READS_VERDICTS,
    ),
    **{
        f"verdicts {key}": (lambda key=key, value=value: tell(**{key: value}), READS_VERDICTS)
        for key, value in {
            "claim": 1,
            "verdict": None,
            "says": [],
            "effect": "large",
            "low": {},
            "num_seeds": -1,
            "experiments": "a",
            "rule": [],
            "cells": [{"where": "here"}],
            "notes": [1],
        }.items()
    },
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_result_set_is_one_line_and_nothing_is_lost(said, place, name):
    damage, readers = DAMAGES[name]
    damage()
    # judging the claims of a whole folder takes its time: left out where nothing is refused
    for command in (
        ("list", *readers) if readers else [word for word in COMMANDS if word != "report"]
    ):
        before = snapshot(place)
        code, out, err = said(*COMMANDS[command])
        told = f"{command}: {code}: {err}"
        lines = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert code == 2 if command in readers else code in (0, 1, 2), told
        assert len(lines) == 1 if code == 2 else "error" not in err, told
        assert "a bug" not in err, told
        assert not HIDDEN.search(out + err), told
        after = snapshot(place)
        # a report that cannot be finished may have come halfway through those of a folder
        rebuilt = WRITTEN if "report" in command or command == "run" else ()
        for path in {*before, *after}:
            is_inside = path.is_relative_to(place / "here/results")
            # the lock says who holds it, and what a kill left behind is cleared
            is_ours = path.name == ".lock" or (path.name[0] == "." and path.parent.name == "parts")
            if is_inside and (is_ours or {*path.parts} & {*rebuilt}):
                continue
            assert path not in before or before[path] == after.get(path), (path, told)
            # training adds to the results, and nothing adds to anything else
            assert path in before or (is_inside and command == "run"), (path, told)


# What is read, and what is shown ------------------------------------------------------------


def test_results_are_never_unpickled(made):
    """Whatever could run code while it is read is not in the code that reads results."""
    for path in Path(relu_exp.__file__).parent.rglob("*.py"):
        text = path.read_text()
        found = re.findall(
            r"\bpickle\.(?!PicklingError)|\bpickle import|np\.load\(|torch\.load\("
            r"|\beval\(|\bexec\(",
            text,
        )
        unsafe = [
            word for word in found if not (word == "torch.load(" and "weights_only=True" in text)
        ]
        assert not unsafe, (path, unsafe)


def test_a_table_whose_pieces_are_read_is_the_table(tmp_path, monkeypatch):
    schema = arrow_schema("curves")
    rows = [
        {"run_id": f"{n}", "step": n, "split": "train", "loss": 0.5 * n, "accuracy": None}
        for n in range(1000)
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(table, tmp_path / "t.parquet")
    whole = reading.read_table(tmp_path / "t.parquet", schema, None)
    some = reading.read_table(tmp_path / "t.parquet", schema, ["loss", "run_id"])
    monkeypatch.setattr(reading, "PIECE_BYTES", 100_000)
    assert reading.read_table(tmp_path / "t.parquet", schema, None).equals(whole)
    assert whole.equals(table)
    assert reading.read_table(tmp_path / "t.parquet", schema, ["loss", "run_id"]).equals(some)


HOSTILE = (
    "<script>alert(1)</script>![x](http://evil)|`<img src=x onerror=alert(2)>``[a](javascript:b)"
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Return the pages of results in which every text is hostile."""
    root = tmp_path_factory.mktemp("shown") / "results"
    evil = Choice("evil$x$", (("<b>", HOSTILE),))
    runs = [
        replace(run, initializer=Choice(HOSTILE, run.initializer.settings), dataset=evil)
        for run in synthetic.configs(activations=("relu",), depths=(2,), seeds=(0,), num_steps=4)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synthetic.STD, HOSTILE, lambda fan_in, fan_out, settings: 0.1)
        synthetic.write(
            root / "a",
            runs,
            title=HOSTILE,
            question=HOSTILE,
            command=HOSTILE,
            commit=HOSTILE,
            budget=HOSTILE,
            axes={HOSTILE: [HOSTILE]},
            figures=[HOSTILE, "loss_curves"],
            packages={HOSTILE: HOSTILE},
            machine={"system": HOSTILE},
            python=HOSTILE,
            device=HOSTILE,
        )
    store = Store(root / "a")
    (part_id,) = store.part_ids()
    path = store.parts / part_id / "runs.parquet"
    table = pq.read_table(path)
    rows = [
        {**row, "error": HOSTILE, "status": "failed" if place == 0 else row["status"]}
        for place, row in enumerate(table.to_pylist())
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    assert cli.main(["report", str(root)]) == 0
    return {page: page.read_text() for page in root.rglob("*") if page.suffix in (".md", ".html")}


def test_no_text_of_the_results_becomes_a_tag(shown):
    assert any("alert(1)" in text for text in shown.values())
    for page, text in shown.items():
        if page.suffix == ".html":
            assert "<script>alert" not in text, page
            assert "<img src=x" not in text, page
            assert 'href="javascript:' not in text, page


def test_no_text_of_the_results_becomes_markdown(shown):
    for page, text in shown.items():
        if page.suffix == ".md":
            # what stands in a span of code is shown as it is
            plain = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
            assert "<script" not in plain, page
            assert "<img" not in plain, page
            assert "![x](" not in plain, page
            assert "[a](" not in plain, page


@pytest.mark.parametrize("text", ["a", "`", "``", "a`b", "` | `", HOSTILE, "a\nb"])
def test_a_span_of_code_ends_where_it_should(text):
    span = markdown_code(text)
    ticks = re.match("`+", span).group()
    assert span.endswith(ticks)
    inside = span[len(ticks) : -len(ticks)]
    assert ticks not in re.findall("`+", inside)
    assert "\n" not in span
    assert not re.search(r"(?<!\\)\|", span)


def test_a_title_cannot_end_its_line():
    assert escape_markdown("a\n# b\n<i>") == r"a \# b &lt;i&gt;"

"""relu-exp verify: runs trained again are the same, and whatever was changed is found."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.engine import training
from relu_exp.engine.studies import registry as studies
from relu_exp.results import machine
from relu_exp.results.store import Store, arrow_schema
from relu_exp.session.verify.retraining import trainable

from configs import make_run

SWEEP = """
title: Tiny
question: Does it come out again?
overrides: {initializer: he_normal, width: 8, num_steps: 6, batch_size: 32, dataset.num_train: 64}
sweep: {activation: [relu, tanh], depth: [2], learning_rate: [0.1, 1.0e+30]}
figures: []
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Train a tiny sweep once, in fleets of two; every test gets a copy."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(SWEEP)
    words = ["run", str(folder / "tiny.yaml"), "--workers", "1", "--results", str(folder / "r")]
    assert cli.main(words) == 0
    return folder / "r"


@pytest.fixture
def results(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, tmp_path / "results")
    return Path("results")


@pytest.fixture
def said(capsys):
    def run(*words):
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def rewrite(root, table, change):
    """Change a table in every part: `change` takes its rows and returns them."""
    store = Store(root)
    for part_id in store.part_ids():
        rows = change(store.read_part(part_id, table).to_pylist())
        changed = pa.Table.from_pylist(rows, schema=arrow_schema(table))
        pq.write_table(changed, store.parts / part_id / f"{table}.parquet")


def edit_manifest(root, **fields):
    (path,) = (root / "manifests").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def kinds(out):
    return [line.split()[0] for line in out.splitlines()[:-1]]


@pytest.mark.equal_bits
def test_runs_trained_alone_are_in_every_bit_what_they_were_in_their_fleet(said, results):
    code, out, err = said("verify", "results")
    assert (code, err) == (0, "")
    assert kinds(out) == ["identical"] * 4
    assert "4 of 4 finished runs trained again" in out
    assert re.search(r"identical tiny [0-9a-f]{16}: [\d,]+ rows, digest [0-9a-f]{16}\n", out)


def test_all_rows_that_training_writes_are_sound(said, results):
    code, out, err = said("verify", "results", "--rows")
    assert (code, err) == (0, "")
    assert out.endswith("in 2 parts of 1 experiments: all sound\n")


def test_a_run_that_diverged_is_verified_too(results):
    statuses = [
        row["status"] for part in Store(results / "tiny").read("runs") for row in part.to_pylist()
    ]
    assert {"done", "diverged"} <= {*statuses}


def test_the_folder_of_one_experiment_will_do_and_a_seed_draws_the_same_runs(said, results):
    words = ("verify", "results/tiny", "--sample", "2", "--seed", "7")
    code, first, _ = said(*words)
    assert code == 0
    assert "2 of 4 finished runs trained again (--seed 7): 2 identical" in first
    assert said(*words)[1] == first
    assert said(*words[:-1], "8")[1].splitlines()[:2] != first.splitlines()[:2]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("curves", "loss"),
        ("layers", "value"),
        ("histograms", "maximum"),
        ("histograms", "mean"),
        ("predictions", "value"),
        ("functions", "derivative"),
        ("runs", "final_test_loss"),
        ("runs", "num_parameters"),
    ],
)
def test_the_last_bit_of_any_number_is_noticed(said, results, table, column):
    def change(rows):
        row = next(row for row in rows if row[column] is not None and row[column] != 0)
        row[column] = row[column] + 1 if column == "num_parameters" else row[column] * (1 + 3e-16)
        return rows

    rewrite(results / "tiny", table, change)
    code, out, _ = said("verify", "results")
    assert code == 1
    assert "differs" in kinds(out)
    assert re.search(rf"differs +tiny [0-9a-f]{{16}}: {table}, .* stored, .* now; .*report", out)


@pytest.mark.parametrize("table", ["curves", "layers", "histograms", "dead_units"])
@pytest.mark.parametrize("change", [lambda rows: rows[:-1], lambda rows: rows + rows[:1]])
def test_a_row_that_is_missing_or_there_twice_is_noticed(said, results, table, change):
    rewrite(results / "tiny", table, change)
    code, out, _ = said("verify", "results")
    assert code == 1
    assert "differs" in kinds(out)


def test_what_differs_from_training_to_training_does_not_matter(said, results):
    def change(rows):
        return [row | {"seconds": 1e9, "fleet_id": "another"} for row in reversed(rows)]

    rewrite(results / "tiny", "runs", change)
    rewrite(results / "tiny", "curves", lambda rows: rows[::-1])
    assert said("verify", "results")[0] == 0


# Elsewhere ----------------------------------------------------------------------------------

ELSEWHERE = [
    ({"fingerprint": {"engine code": "0", "torch": "1.0", "schema": "1"}}, "torch 1.0 → "),
    ({"fingerprint": {}}, "engine code unknown → "),
    ({"machine": {**machine.describe(), "model": "abacus"}}, "model abacus → "),
    ({"machine": {}}, "system unknown → "),
]


@pytest.mark.parametrize(("fields", "reason"), ELSEWHERE, ids=[words for _, words in ELSEWHERE])
def test_what_was_made_elsewhere_must_agree_and_the_line_says_how_and_why(
    said, results, fields, reason
):
    edit_manifest(results / "tiny", **fields)
    code, out, _ = said("verify", "results")
    assert code == 0
    assert kinds(out) == ["agrees"] * 4
    for line in out.splitlines()[:-1]:
        assert reason in line.partition("compared within 2%, not bits: ")[2]
        assert "at all 6 steps" in line or "of 6; after that" in line


def test_a_lost_manifest_is_a_reason_to_compare_nearly(said, results):
    for path in (results / "tiny/manifests").iterdir():
        path.unlink()
    code, out, _ = said("verify", "results")
    assert code == 0
    assert out.count("not bits: the manifest of its session is missing") == 4


@pytest.mark.parametrize(
    ("table", "column", "factor", "expected"),
    [
        ("layers", "value", 1 + 1e-6, 0),
        ("layers", "value", 1.2, 1),
        ("curves", "loss", 1 + 1e-6, 0),
        ("curves", "loss", 1.2, 1),
        ("predictions", "value", 1.2, 1),
        ("functions", "value", 1.2, 1),
    ],
)
def test_elsewhere_a_rounding_passes_and_more_does_not(
    said, results, table, column, factor, expected
):
    edit_manifest(results / "tiny", fingerprint={})
    rewrite(
        results / "tiny",
        table,
        lambda rows: [row | {column: row[column] * factor} for row in rows],
    )
    assert said("verify", "results")[0] == expected


def test_elsewhere_histograms_and_dead_units_may_move_a_little_and_no_more(said, results):
    edit_manifest(results / "tiny", fingerprint={})

    def shift(rows, share):
        for row in rows:
            counts = row["counts"]
            place = max(range(len(counts)), key=counts.__getitem__)
            moved = min(counts[place], int(sum(counts) * share))
            counts[place] -= moved
            counts[place - 1] += moved
        return rows

    rewrite(results / "tiny", "histograms", lambda rows: shift(rows, 0.01))
    assert said("verify", "results")[0] == 0
    rewrite(results / "tiny", "histograms", lambda rows: shift(rows, 0.2))
    code, out, err = said("verify", "results")
    assert code == 1, err
    assert "histograms, " in out


def test_elsewhere_a_quantity_that_came_later_is_not_compared(said, results):
    def earlier(rows):
        return [row for row in rows if row["quantity"] != "effective_rank"]

    rewrite(results / "tiny", "layers", earlier)
    assert said("verify", "results")[0] == 1
    edit_manifest(results / "tiny", fingerprint={})
    assert said("verify", "results")[0] == 0
    # a row of a quantity that was measured is missed
    rewrite(results / "tiny", "layers", lambda rows: rows[1:])
    assert said("verify", "results")[0] == 1


# What is needed, and what there is not -------------------------------------------------------


def test_a_run_with_an_activation_of_a_plugin_needs_the_plugin(said, tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "add-an-activation.md").read_text()
    (tmp_path / "my_activation.py").write_text(page.split("```python\n")[1].split("```")[0])
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    # a process of its own: what a plugin registers would stay in this one
    program = """
from relu_exp import cli
plugin = ["--plugin", "my_activation"]
assert cli.main(["run", "tiny.yaml", "activation=bent", "--workers", "1", *plugin]) == 0
assert cli.main(["verify", "results", *plugin]) == 0
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("identical tiny") == 2
    code, out, err = said("verify", str(tmp_path / "results"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "unknown activation 'bent'" in err


def test_a_run_that_cannot_be_trained_here_is_a_line_and_the_others_go_on(
    said, results, monkeypatch
):
    train_fleet = training.train_fleet

    def short_of_memory(runs, *rest):
        if runs[0].activation.name == "tanh":
            raise RuntimeError("not enough memory:\nyou tried to allocate 1 TB")
        return train_fleet(runs, *rest)

    monkeypatch.setattr(training, "train_fleet", short_of_memory)
    code, out, _ = said("verify", "results")
    assert code == 1
    assert sorted(kinds(out)) == ["failed"] * 2 + ["identical"] * 2
    assert "cannot be trained here: not enough memory: you tried to allocate 1 TB" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("verify", "RESULTS"),
        ("verify nowhere", "nowhere does not exist"),
        ("verify . ", "holds no results"),
        ("verify results --sample 0", "--sample 0 is not valid"),
        ("verify results --seed x", "--seed x is not valid"),
        ("verify results --device tpu", "valid: auto, cpu, cuda"),
        ("verify results --plugin absent", "--plugin absent: there is no module"),
        ("verfy results", "(did you mean verify?)"),
    ],
)
def test_what_cannot_work_is_one_line(said, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(*words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_where_nothing_finished_there_is_nothing_to_verify(said, results):
    rewrite(results / "tiny", "runs", lambda rows: [row | {"status": "failed"} for row in rows])
    code, out, err = said("verify", "results")
    assert (code, out) == (2, "")
    assert "holds no finished run: there is nothing to verify" in err


def test_nothing_is_written_and_nothing_fetched(said, results):
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert said("verify", "results", "--sample", "1")[0] == 0
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


def test_a_row_never_makes_anybody_download():
    run = make_run(dataset=("mnist", {"root": "/nowhere", "download": True}))
    assert trainable(run).dataset["download"] is False
    assert trainable(run).run_id == run.run_id


# Studies ------------------------------------------------------------------------------------


def checks(value, holds=True):
    one = {"check": "sum", "case": "1 + 1", "expected": 2.0, "found": value, "holds": holds}
    return {"checks": {column: [item] for column, item in {**one, "detail": ""}.items()}}


@pytest.fixture
def studied(tmp_path, monkeypatch):
    """Return a function that makes results of a study, and has it give something now."""
    monkeypatch.chdir(tmp_path)

    def make(name, there, here):
        part_id = f"study-{name}-0123"
        store = Store(Path("results") / name)
        store.write_part(part_id, there)
        store.write_manifest(
            {"session": "s", "schema_version": 1, "run_ids": [], "studies": {name: part_id}}
        )
        study = studies.Study(name, lambda device, budget: here, "")
        monkeypatch.setitem(studies.STUDIES._entries, name, study)

    return make


@pytest.mark.parametrize(
    ("here", "expected", "kind"),
    [
        (checks(2.0), 0, "identical"),
        (checks(2.0000001), 0, "agrees"),
        (checks(2.5), 1, "differs"),
        (checks(2.0, holds=False), 1, "differs"),
        ({"checks": {column: [] for column in checks(2.0)["checks"]}}, 1, "differs"),
    ],
)
def test_formulas_are_computed_again(said, studied, here, expected, kind):
    studied("formulas", checks(2.0), here)
    code, out, err = said("verify", "results")
    assert (code, err) == (expected, "")
    assert out.startswith(f"{kind:10}formulas study-formulas-0123: ")


def test_timings_are_not_compared(said, studied):
    studied("timings", {}, {})
    code, out, _ = said("verify", "results")
    assert code == 0
    assert (
        "skipped   timings study-timings-0123: a study of timings, which differ every time" in out
    )


def test_beside_runs_studies_are_computed_again_when_asked_for(said, studied, results):
    studied("formulas", checks(2.0), checks(2.5))
    code, out, _ = said("verify", "results", "--sample", "1")
    assert code == 0
    assert "skipped   formulas" in out
    code, out, _ = said("verify", "results", "--sample", "1", "--studies")
    assert code == 1
    assert "differs   formulas study-formulas-0123: sum, 1 + 1" in out

"""relu-exp verify --rows: whatever was changed, lost or doubled in a part is named."""

import json
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.results.store import CHECKSUMS, Store

import synthetic


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    runs = synthetic.configs(activations=("relu", "tanh"), depths=(2,), seeds=(0, 1))
    return synthetic.write(tmp_path_factory.mktemp("made") / "tiny", runs)


@pytest.fixture
def store(made, tmp_path):
    shutil.copytree(made, tmp_path / "results/tiny")
    return Store(tmp_path / "results/tiny")


@pytest.fixture
def said(capsys, store):
    def run(*words):
        code = cli.main(["verify", str(store.root.parent), *words])
        return code, *capsys.readouterr()

    return run


def path_of(store, table):
    return store.parts / store.part_ids()[0] / f"{table}.parquet"


def rewrite(store, table, change):
    """Change the rows of the first part, as somebody would who knows of checksums."""
    path = path_of(store, table)
    old = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(old.to_pylist()), schema=old.schema), path)
    path.with_name(CHECKSUMS).unlink(missing_ok=True)


def test_what_was_written_is_sound(said):
    code, out, err = said("--rows")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert "in 2 parts of 1 experiments: all sound" in out


def test_checksums_are_those_of_sha256sum(store):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    for part_id in store.part_ids():
        words = ["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS]
        subprocess.run(words, cwd=store.parts / part_id, check=True)


def test_a_bit_that_fell_over_is_noticed_and_the_part_is_named(said, store):
    path = path_of(store, "layers")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    code, out, _ = said("--rows")
    assert code == 1
    assert f"parts/{store.part_ids()[0]} is damaged (layers.parquet has another checksum" in out
    assert store.part_ids()[1] not in out
    assert "1 problems" in out


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"no sums", b"x" * 10**6])
def test_checksums_that_are_none_are_damage(said, store, content):
    (store.parts / store.part_ids()[0] / CHECKSUMS).write_bytes(content)
    code, out, _ = said("--rows")
    assert code == 1
    assert "its checksums cannot be compared" in out


def test_parts_of_older_code_have_no_checksums_and_are_sound(said, store):
    for part_id in store.part_ids():
        (store.parts / part_id / CHECKSUMS).unlink()
    code, out, _ = said("--rows")
    assert code == 0
    assert "2 parts of older code have no checksums" in out


CHANGES = {
    "twice": ("curves", lambda rows: [*rows, rows[0]], "1 rows of curves are there twice"),
    "of no run": (
        "layers",
        lambda rows: [rows[0] | {"run_id": "0" * 16}, *rows[1:]],
        "1 rows of layers belong to no run",
    ),
    "another rate": (
        "runs",
        lambda rows: [rows[0] | {"learning_rate": 0.5}, *rows[1:]],
        "it was changed after it was written",
    ),
    "no split": ("curves", lambda rows: [rows[0] | {"split": "x"}, *rows[1:]], "unknown split"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_no_engine_wrote_are_named(said, store, change):
    table, change, words = CHANGES[change]
    rewrite(store, table, change)
    code, out, _ = said("--rows")
    assert code == 1
    assert words in out
    assert store.part_ids()[0] in out
    assert store.part_ids()[1] not in out


def test_a_copied_part_is_a_run_finished_twice(said, store):
    first = store.part_ids()[0]
    shutil.copytree(store.parts / first, store.parts / "zcopy")
    code, out, _ = said("--rows")
    assert code == 1
    assert "zcopy is damaged (the same session finished run" in out


def test_a_damaged_manifest_and_missing_runs_are_said(said, store):
    (path,) = store.manifests.glob("*.json")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"run_ids": [*manifest["run_ids"], "0" * 16]}))
    code, out, _ = said("--rows")
    assert code == 0
    assert "1 runs asked for are not finished" in out
    path.write_text("{")
    code, out, _ = said("--rows")
    assert code == 1
    assert f"{path} is damaged" in out


@pytest.mark.parametrize("words", [("--sample", "2"), ("--seed", "1"), ("--studies",)])
def test_what_only_training_needs_does_not_go_with_it(said, words):
    code, _, err = said("--rows", *words)
    assert code == 2
    assert "--rows trains nothing" in err

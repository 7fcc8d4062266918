"""Checkpoints: interrupted anywhere, a fleet continues bit for bit; no file can do it harm."""

import os
import pickle
import threading

import pytest
import torch

from relu_exp.engine import checkpoints, training
from relu_exp.engine.checkpoints import Checkpointer, clear, runs_under_way
from relu_exp.engine.ops import compiled
from relu_exp.engine.training import train_fleet

from fleets import FLEETS, NUM_STEPS, bits, fleet

pytestmark = pytest.mark.usefixtures("one_thread")


class Stop(Exception):  # noqa: N818
    pass


def stop_at(last):
    def on_step(step):
        if step == last:
            raise Stop

    return on_step


@pytest.fixture(autouse=True)
def whatever_it_costs(monkeypatch):
    monkeypatch.setattr(checkpoints, "_MAX_SHARE", float("inf"))


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 1)


@pytest.fixture
def checkpointer(tmp_path):
    """Return a function that makes a checkpointer as a new process would."""
    return lambda seconds=0.0: Checkpointer(tmp_path / "checkpoints" / "fleet.pt", seconds)


@pytest.mark.parametrize("keys", FLEETS.values(), ids=FLEETS)
def test_a_fleet_interrupted_at_any_step_continues_bit_for_bit(keys, checkpointer, monkeypatch):
    monkeypatch.setattr(training, "_NUM_BATCH_RECORDS", 4)  # windows of three minibatches
    runs = fleet(**keys)
    whole = train_fleet(runs)
    assert {"done", "diverged"} <= set(whole["runs"]["status"])
    for step in range(1, NUM_STEPS + 1):
        with pytest.raises(Stop):
            train_fleet(runs, "cpu", stop_at(step), checkpointer())
        steps = []
        assert bits(train_fleet(runs, "cpu", steps.append, checkpointer())) == bits(whole)
        assert steps == list(range(step + 1, NUM_STEPS + 1))
        checkpointer().delete()


@pytest.mark.parametrize("read_every", [1, 4])
def test_a_fleet_interrupted_after_every_read_continues_bit_for_bit(
    read_every, checkpointer, monkeypatch
):
    runs = fleet(optimizer=("sgd", {"momentum": 0.9}), num_steps=20)
    whole = train_fleet(runs)
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", read_every)
    reads = []

    def stop(step):
        reads.append(step)
        raise Stop

    while reads[-1:] != [20]:
        with pytest.raises(Stop):
            train_fleet(runs, "cpu", stop, checkpointer())
    assert reads == (list(range(1, 21)) if read_every == 1 else [1, 2, 3, 4, 5, 9, 10, 14, 18, 20])
    assert bits(train_fleet(runs, "cpu", None, checkpointer())) == bits(whole)


def test_what_kernels_began_is_not_continued_without_them(checkpointer, monkeypatch):
    runs, steps = fleet(), []
    with pytest.raises(Stop):
        train_fleet(runs, "cpu", stop_at(5), checkpointer())
    monkeypatch.setenv(compiled.OFF, "off")
    train_fleet(runs, "cpu", steps.append, checkpointer())
    assert steps[0] == (6 if compiled._loaded() is None else 1)


def test_the_time_before_the_interruption_counts(checkpointer, monkeypatch):
    monkeypatch.setattr(checkpoints.time, "perf_counter", iter(range(1000)).__next__)
    runs = fleet()
    with pytest.raises(Stop):
        train_fleet(runs, "cpu", stop_at(NUM_STEPS), checkpointer())
    # a tick per reading of the clock: one at the start of either part, one per checkpoint
    assert (
        train_fleet(runs, "cpu", None, checkpointer())["runs"]["seconds"][0] * len(runs) > NUM_STEPS
    )


def test_between_two_checkpoints_nothing_is_written(checkpointer):
    with pytest.raises(Stop):
        train_fleet(fleet(), "cpu", stop_at(NUM_STEPS), checkpointer(seconds=3600.0))
    assert not checkpointer().path.exists()


@pytest.fixture
def begun(checkpointer):
    runs = fleet()
    with pytest.raises(Stop):
        train_fleet(runs, "cpu", stop_at(4), checkpointer())
    return runs, checkpointer().path


def test_a_checkpoint_names_the_runs_that_can_continue(begun):
    runs, path = begun
    assert runs_under_way(path.parent) == [[run.run_id for run in runs]]
    assert runs_under_way(path.parent / "absent") == []


@pytest.mark.parametrize("key", ["plugin mine", "data"])
def test_no_fleet_continues_with_other_code_of_a_plugin_or_other_data(
    begun, checkpointer, monkeypatch, key
):
    runs, _ = begun
    assert checkpointer().load(runs, "cpu")
    before = checkpoints.made_from
    monkeypatch.setattr(checkpoints, "made_from", lambda run: {**before(run), key: "other"})
    assert checkpointer().load(runs, "cpu") is None
    steps = []
    train_fleet(runs, "cpu", steps.append, checkpointer(seconds=3600.0))
    assert steps[0] == 1


def test_a_checkpoint_of_runs_that_are_saved_is_cleared_and_others_stay(begun):
    runs, path = begun
    run_ids = [run.run_id for run in runs]
    clear(path.parent, run_ids[1:])
    assert path.exists()
    clear(path.parent, run_ids)
    assert not path.exists()


def test_a_checkpoint_that_cannot_be_read_now_stays(begun, checkpointer, monkeypatch):
    runs, path = begun

    def fails(*arguments, **settings):
        raise OSError("too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", fails)
        assert runs_under_way(path.parent) == []
        clear(path.parent, ())
        assert bits(train_fleet(runs, "cpu", None, checkpointer(3600.0))) == bits(train_fleet(runs))
    assert path.exists()
    assert len(runs_under_way(path.parent)) == 1


def test_other_runs_begin_anew(begun, checkpointer):
    runs, _ = begun
    assert bits(train_fleet(runs[:3], "cpu", None, checkpointer())) == bits(train_fleet(runs[:3]))


def test_another_version_of_the_code_begins_anew(begun, checkpointer, monkeypatch):
    runs, path = begun
    monkeypatch.setattr(checkpoints, "fingerprint", lambda: {"engine code": "another"})
    steps = []
    train_fleet(runs, "cpu", steps.append, Checkpointer(path, 3600.0))
    assert steps[0] == 1
    assert runs_under_way(path.parent) == []
    # only `clear` deletes: the other version of the code may be used again
    assert path.exists()
    clear(path.parent, ())
    assert not path.exists()


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes(255 - byte for byte in data[middle : middle + 64]) + data[-64:]


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bomb",)


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"", lambda data: data[:-1000], flipped, lambda data: pickle.dumps(Bomb())],
    ids=["empty", "cut", "flipped", "hostile"],
)
def test_a_damaged_checkpoint_is_ignored_and_executes_nothing(
    begun, checkpointer, damage, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    runs, path = begun
    path.write_bytes(damage(path.read_bytes()))
    assert bits(train_fleet(runs, "cpu", None, checkpointer(3600.0))) == bits(train_fleet(runs))
    assert runs_under_way(path.parent) == []
    assert not (tmp_path / "bomb").exists()


def test_a_single_wrong_byte_among_the_weights_is_noticed(begun, checkpointer):
    runs, path = begun
    weights = torch.load(path, weights_only=True)["tensors"][0].numpy().tobytes()
    data = bytearray(path.read_bytes())
    data[data.index(weights) + 100] ^= 1
    path.write_bytes(data)
    assert bits(train_fleet(runs, "cpu", None, checkpointer(3600.0))) == bits(train_fleet(runs))


@pytest.mark.parametrize(
    "change",
    [
        {"tensors": []},
        {"tensors": [torch.ones(1)] * 6},
        {"alive": [77]},
        {"records": {"curves": torch.zeros(10, dtype=torch.uint8)}},
        {"window": [1, 2]},
    ],
    ids=str,
)
def test_a_state_that_does_not_fit_is_ignored(begun, checkpointer, change):
    runs, path = begun
    state = torch.load(path, weights_only=True)
    torch.save({**state, **change}, path)
    assert bits(train_fleet(runs, "cpu", None, checkpointer(3600.0))) == bits(train_fleet(runs))


def test_a_full_disk_costs_the_checkpoint_and_nothing_else(checkpointer, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_whole", full)
    runs = fleet()
    assert bits(train_fleet(runs, "cpu", None, checkpointer())) == bits(train_fleet(runs))


def test_a_checkpoint_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "0123456789abcdef.pt")
    found = []
    reader = threading.Thread(target=lambda: found.append(runs_under_way(tmp_path)), daemon=True)
    reader.start()
    reader.join(timeout=20)
    assert found == [[]]

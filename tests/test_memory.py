"""Memory: a fleet is cut to what there is, and what it takes is not underestimated."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from relu_exp.planning import memory
from relu_exp.planning.memory import available_bytes, bytes_of, room_for_fleet
from relu_exp.planning.plan import plan

from configs import make_run

WIDE = {"depth": 3, "width": 512, "optimizer": "adam", "probe_steps": (0, 4), "batch_size": 128}


def test_memory_grows_with_everything_that_takes_it():
    least = bytes_of(make_run(width=256))
    for changes in (
        {"depth": 9},
        {"width": 1024},
        {"batch_size": 4096},
        {"probe_samples": 4096, "probe_steps": (0,)},
    ):
        assert bytes_of(make_run(**{"width": 256, **changes})) > least


def test_a_fleet_is_as_large_as_fits_and_never_empty():
    runs = [make_run(seed=seed) for seed in range(12)]
    each = bytes_of(runs[0])
    for room, sizes in [(None, [12]), (1e18, [12]), (4.5 * each, [4] * 3), (0.0, [1] * 12)]:
        assert [len(fleet.runs) for fleet in plan(runs, (), 16, room=room).fleets] == sizes


def test_a_small_shape_is_not_cut_for_a_large_one():
    small = [make_run(seed=seed, width=8) for seed in range(8)]
    large = [make_run(seed=seed, width=2048, depth=5) for seed in range(8)]
    fleets = plan([*small, *large], (), 8, room=2.5 * bytes_of(large[0])).fleets
    assert sorted(len(fleet.runs) for fleet in fleets) == [2, 2, 2, 2, 8]


def test_workers_share_what_is_free(monkeypatch):
    monkeypatch.setattr("relu_exp.planning.memory.available_bytes", lambda device: 10e9)
    one, two = (room_for_fleet("cpu", number) for number in (1, 2))
    assert 0 < two < one / 2 < 5e9
    assert room_for_fleet("cpu", 1000) == 0
    monkeypatch.setattr("relu_exp.planning.memory.available_bytes", lambda device: None)
    assert room_for_fleet("cpu", 1) is None


def test_what_is_free_is_less_than_what_there_is():
    total = resource.getpagesize() * 2**52
    assert 0 < available_bytes("cpu") < total


PEAK_KILOBYTES = 'Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]'
"""The most memory that a program has taken; `ru_maxrss` begins with what its parent has taken."""

PEAK = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_memory import WIDE, make_run
from relu_exp.engine.training import train_fleet
train_fleet([make_run(seed=seed, **WIDE) for seed in range({size})])
print({peak})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one program")
def test_a_fleet_takes_no_more_than_was_estimated():
    def peak(size):
        program = PEAK.format(tests=str(Path(__file__).parent), size=size, peak=PEAK_KILOBYTES)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        return 1024 * int(done.stdout)

    taken, estimated = (peak(13) - peak(1)) / 12, bytes_of(make_run(**WIDE))
    assert estimated / 5 < taken < estimated


def test_a_large_data_set_leaves_less_room(monkeypatch):
    monkeypatch.setattr("relu_exp.planning.memory.available_bytes", lambda device: 100e9)
    digits, mnist = (make_run(dataset=name).dataset for name in ("digits", "mnist"))
    without, small, large = (room_for_fleet("cpu", 2, sets) for sets in ((), [digits], [mnist]))
    # 70,000 images of 784 numbers, and once more as they are sorted
    assert without - large == pytest.approx(2 * 4 * 70_000 * 784)
    assert 0 < without - small < 2e6
    assert room_for_fleet("cpu", 2, [digits, mnist]) == large


@pytest.fixture
def groups(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "own")

    def make(name, **files):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        for key, value in files.items():
            (tmp_path / name / f"memory.{key}").write_text(f"{value}\n")
        return tmp_path

    return make


def test_a_container_may_take_what_its_limit_leaves(groups):
    assert memory._left_to_group() is None
    groups("", max="max", current=100, stat="inactive_file 3")
    assert memory._left_to_group() is None
    groups("", max=1000, current=800, stat="anon 100\ninactive_file 300\nfile 600")
    # what was read from files is given up when it is wanted
    assert memory._left_to_group() == 500


def test_the_narrowest_of_a_jobs_groups_counts(groups):
    groups("", max="max", current=0, stat="")
    groups("slurm/job", max=700, current=300, stat="inactive_file 0")
    groups("slurm/job/step", max=2000, current=100, stat="inactive_file 0")
    root = groups("slurm", max=5000, current=1000, stat="inactive_file 50")
    (root / "own").write_text("3:cpu:/elsewhere\n0::/slurm/job/step\n")
    assert memory._left_to_group() == 400
    # as a container sees it whose groups have other names outside
    (root / "own").write_text("0::/host/of/ours\n")
    assert memory._left_to_group() is None


PLANNED = f"""
from pathlib import Path
from relu_exp.session.preview import show_plan
from relu_exp.session.tasks import Options, tasks_of

options = Options(Path("nowhere"), device="cpu", num_workers=2, only_plan=True)
for num_seeds in (10, 10_000):
    words = ["activation=relu,tanh", "initializer=he_normal", "depth=5", "learning_rate=0.1"]
    (task,) = tasks_of(["default"], [*words, f"seed=range({{num_seeds}})"], options)
    show_plan(task)
    print("peak", len(task.runs), {PEAK_KILOBYTES})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count in other units")
def test_a_hundred_thousand_runs_are_planned_within_one_and_a_half_gigabytes(tmp_path):
    """What 20,000 runs take beyond a few, five times."""
    command = [sys.executable, "-c", PLANNED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("peak")]
    (few, first), (many, last) = ((int(runs), int(kilobytes)) for _, runs, kilobytes in lines)
    assert (few, many) == (20, 20_000)
    assert first + 100_000 * (last - first) / (many - few) < 1_500_000

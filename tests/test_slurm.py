"""The Slurm launcher against a real slurmctld and slurmd, where Debian's slurm-wlm is installed."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.schema import UsageError
from relu_exp.launchers import slurm_queue
from relu_exp.launchers.local import Notice, launch
from relu_exp.launchers.slurm_queue import QueuedJob
from relu_exp.launchers.task import FleetJob, Outcome
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store

import trainers
from configs import make_run
from slurm_cluster import NoSlurmError, cluster_in, impatience, told, within

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'relu-exp[slurm]'")

from submitit.core.utils import FailedJobError

from relu_exp.launchers import slurm as launcher
from relu_exp.launchers.jobs import SlurmJob

# one Slurm for all, whichever processes share out the tests
pytestmark = pytest.mark.xdist_group("slurm")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A cluster of one node on this machine, with these tests on the path of its jobs."""
    folder = Path(tmp_path_factory.mktemp("slurm"))
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        try:
            cluster = stack.enter_context(cluster_in(folder))
        except NoSlurmError as error:
            pytest.skip(str(error))
        patch.setenv(trainers.NOTES, str(folder))
        # one node of our own may be asked often
        patch.setitem(launcher._POLL_SECONDS, "slurm", 1.0)
        yield cluster


def launch_fleets(fleets, root, callback=lambda event: None, train=trainers.train, **settings):
    store = Store(root)
    store.open()
    settings = {"fleets_per_job": 2, "max_retries": 1} | settings
    LAUNCHERS["slurm"].launch(
        fleets, FleetJob(root, "session", "cpu"), None, callback, train, **settings
    )
    return store


def fleets_of(*rates):
    return plan([make_run(learning_rate=rate, width=8) for rate in rates], (), 1).fleets


def jobs():
    return subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout


def curves(store):
    return sorted(repr(row) for part in store.read("curves") for row in part.to_pylist())


def test_an_array_gives_the_tables_of_the_local_launcher(slurm, tmp_path):
    fleets = fleets_of(0.1, 0.2, 0.3)
    here = Store(tmp_path / "here")
    here.open()
    launch(fleets, FleetJob(here.root, "session", "cpu"), 1, lambda event: None)
    events = []
    there = launch_fleets(fleets, tmp_path / "there", events.append, train=None)
    assert curves(there) == curves(here) != []
    assert sum(isinstance(event, Outcome) for event in events) == 3
    assert not (there.root / "jobs").exists()
    assert jobs() == ""


@pytest.mark.parametrize("rate", [trainers.KILLED_ONCE, trainers.PREEMPTED_ONCE])
def test_a_job_that_is_killed_or_preempted_is_queued_again(slurm, tmp_path, rate):
    with impatience():
        store = launch_fleets(fleets_of(0.1, rate), tmp_path / "results")
    assert Counter(end.status for end in store.ends().values()) == {"done": 2}


def test_ctrl_c_takes_the_jobs_out_of_the_queue_and_keeps_what_was_saved(slurm, tmp_path):
    def interrupt(event):
        if isinstance(event, Outcome):
            raise KeyboardInterrupt

    root = tmp_path / "results"
    order = sorted(fleets_of(0.1, trainers.WAITING), key=lambda f: f.runs[0].learning_rate)
    with pytest.raises(KeyboardInterrupt):
        launch_fleets(order, root, interrupt)
    assert within(100, lambda: jobs() == "")
    assert len(Store(root).finished()) == 1


def test_what_slurm_refuses_is_one_line_with_the_setting_it_is_about(slurm, tmp_path):
    with pytest.raises(UsageError, match=r"Slurm refuses the jobs: .*partition") as caught:
        launch_fleets(fleets_of(0.1), tmp_path / "results", partition="nowhere")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("(launcher.partition=nowhere)")


def test_a_driver_that_is_a_job_submits_jobs_with_limits_of_their_own(slurm, tmp_path, monkeypatch):
    # what sbatch --mem-per-cpu leaves in the environment of a driver
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    store = launch_fleets(fleets_of(0.1), tmp_path / "results", memory_gb=0.5)
    assert Counter(end.status for end in store.ends().values()) == {"done": 1}
    assert os.environ["SLURM_MEM_PER_CPU"] == "100"


def test_a_job_that_cannot_start_says_why(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "_NOTICE_SECONDS", 1.0)
    notices = []

    def listen(event):
        if isinstance(event, Notice):
            notices.append(event.text)
            subprocess.run(["scontrol", "update", "PartitionName=main", "State=UP"], check=True)

    subprocess.run(["scontrol", "update", "PartitionName=main", "State=DOWN"], check=True)
    store = launch_fleets(fleets_of(0.1), tmp_path / "results", listen)
    assert notices[0] == "the job waits in Slurm's queue: PartitionDown"
    assert Counter(end.status for end in store.ends().values()) == {"done": 1}


def test_a_controller_that_is_killed_and_started_again_loses_nothing(slurm, tmp_path):
    events = []

    def kill_once(event):
        if not events:
            slurm.kill("slurmctld")
        events.append(event)

    store = launch_fleets(fleets_of(0.1, 0.2, 0.3), tmp_path / "results", kill_once, train=None)
    assert Counter(end.status for end in store.ends().values()) == {"done": 3}
    assert within(60, lambda: jobs() == "")


@pytest.mark.parametrize("reason", ["launch failed requeued held", "job requeued in held state"])
def test_a_job_that_slurm_holds_after_a_failure_is_submitted_again(
    slurm, tmp_path, monkeypatch, reason
):
    held = set()

    def queued_jobs(name, waiting):
        there = slurm_queue.queued_jobs(name, waiting)
        if there and not held:
            held.update(there)
        return there and {
            id: QueuedJob("PENDING", reason) if id in held else job for id, job in there.items()
        }

    monkeypatch.setattr(launcher, "queued_jobs", queued_jobs)
    store = launch_fleets(fleets_of(0.1), tmp_path / "results", train=None)
    assert held
    assert Counter(end.status for end in store.ends().values()) == {"done": 1}


def test_a_job_whose_fleets_are_saved_is_not_waited_for(tmp_path, monkeypatch):
    fleets = fleets_of(0.1)
    store = Store(tmp_path)
    store.open()
    launch(fleets, FleetJob(tmp_path, "session", "cpu"), 1, lambda event: None)
    scheduler = scheduler_of(tmp_path, fleets, [])
    scheduler.queued = {"7_0": None}
    scheduler.fleets = {"7_0": list(fleets)}
    monkeypatch.setattr(launcher, "_POLL_SECONDS", {"slurm": 0.01})
    monkeypatch.setattr(launcher, "cancel", lambda *which, **by: None)
    held = {"7_0": QueuedJob("PENDING", "job requeued in held state")}
    monkeypatch.setattr(launcher, "queued_jobs", lambda name, waiting: held)
    scheduler.launch()
    assert scheduler.queued == {}


def scheduler_of(root, fleets, events):
    """A scheduler whose queue is never asked: its jobs are put in by hand."""
    folder = root / "jobs" / "session"
    folder.mkdir(parents=True)
    template = SlurmJob(fleets, FleetJob(root, "session", "cpu"), folder, 1, {}, 1)
    return launcher._SlurmScheduler(
        template, events.append, None, {}, "slurm", 10, launcher.deque()
    )


def test_a_fleet_whose_checkpoints_advance_is_never_given_up(tmp_path, monkeypatch):
    (fleet,) = fleets_of(0.1)
    monkeypatch.setattr(launcher, "cancel", lambda *which, **by: None)
    events = []
    store = Store(tmp_path)
    store.open()
    scheduler = scheduler_of(tmp_path, (fleet,), events)

    def lose():
        scheduler.queued["7"] = SimpleNamespace(paths=SimpleNamespace(stdout=tmp_path / "log"))
        scheduler.fleets["7"], scheduler.groups["7"] = [fleet], (fleet,)
        scheduler.finish("7")

    store.checkpoints.mkdir(exist_ok=True)
    checkpoint = store.checkpoints / f"{fleet.fleet_id}.pt"
    for second in range(5):
        checkpoint.touch()
        os.utime(checkpoint, (0, second + 1))
        lose()
    assert events == []
    (tmp_path / "log").write_text("srun: error\nslurmstepd: killed by the cgroup\n\n")
    lose()
    lose()
    (outcome,) = events
    assert (
        "ended 2 times without saving it (slurmstepd: killed by the cgroup)" in outcome.reasons[0]
    )


def test_a_job_that_is_stopped_again_and_again_goes_on_while_its_checkpoints_advance(tmp_path):
    (fleet,) = fleets_of(0.1)
    store = Store(tmp_path)
    store.open()
    job = SlurmJob((fleet,), FleetJob(tmp_path, "session", "cpu"), tmp_path, 1, {}, 1)
    store.checkpoints.mkdir(exist_ok=True)
    checkpoint = store.checkpoints / f"{fleet.fleet_id}.pt"
    for second in range(5):
        checkpoint.touch()
        os.utime(checkpoint, (0, second + 1))
        job = job.checkpoint().function
        assert job.num_fruitless == 0
    for count in (1, 2):
        job = job.checkpoint().function
        assert job.num_fruitless == count


@pytest.fixture
def left_behind(tmp_path):
    """A results folder in which a command was killed while its jobs were in the queue."""
    folder = tmp_path / "results" / "default" / "jobs" / "20260101T000000000000-abcd"
    folder.mkdir(parents=True)
    slurm_queue.mark_submitting(folder)
    return folder


def test_jobs_left_behind_are_cancelled_by_whichever_launcher_goes_on(slurm, left_behind):
    name = slurm_queue.job_name(left_behind.name)
    subprocess.run(["sbatch", "-J", name, "--wrap", "sleep 600"], cwd=slurm.folder, check=True)
    assert name in told("squeue", "-h", "-o", "%j")
    settings = ["activation=relu", "depth=1", "width=8", "num_steps=3", "seed=0"]
    results = str(left_behind.parents[2])
    done = subprocess.run(
        [sys.executable, "-m", "relu_exp", "run", *settings, "--results", results],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "jobs of a command that was killed" in done.stderr
    assert told("squeue", "-h", "-o", "%j") == ""


def fake_command(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo '7_1|RUNNING|None'",
            "are still running: 7_1; wait until `squeue --name=relu-exp-2026",
        ),
        ("exit 1", "Slurm does not answer, so jobs of a command that was killed may still write"),
        (None, "this machine has no squeue to ask"),
    ],
)
def test_jobs_left_behind_that_may_still_write_are_one_line(
    left_behind, tmp_path, monkeypatch, script, message
):
    commands = tmp_path / "commands"
    commands.mkdir()
    if script is not None:
        fake_command(commands, "squeue", script)
    fake_command(commands, "scancel", "exit 0")
    monkeypatch.setenv("PATH", f"{commands}")
    monkeypatch.setattr(slurm_queue, "_CANCEL_SECONDS", 0.5)
    monkeypatch.setattr(slurm_queue, "_ANSWER_SECONDS", 0.5)
    with pytest.raises(UsageError, match=message) as caught:
        slurm_queue.cancel_left_behind(left_behind.parent)
    assert "\n" not in str(caught.value)
    assert list(left_behind.iterdir())
    if script is not None:
        fake_command(commands, "squeue", "exit 0")
        slurm_queue.cancel_left_behind(left_behind.parent)
        assert not list(left_behind.iterdir())


def test_progress_goes_on_and_a_notice_comes_while_squeue_hangs(tmp_path, monkeypatch):
    fleets = fleets_of(0.1)
    store = Store(tmp_path)
    store.open()
    events = []
    scheduler = scheduler_of(tmp_path, fleets, events)
    scheduler.queued, scheduler.fleets = {"7": None}, {"7": list(fleets)}
    commands, done = tmp_path / "commands", tmp_path / "saved"
    commands.mkdir()
    # the controller answers only when a fleet is saved and the user has been told
    fake_command(
        commands, "squeue", f"while ! [ -e {done} ]; do sleep 0.05; done; echo '7|RUNNING'"
    )
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setattr(launcher, "_NOTICE_SECONDS", 0.3)
    monkeypatch.setattr(slurm_queue, "_LOOK_SECONDS", 0.05)

    def save_and_go_on():
        if not store.part_ids():
            launch(fleets, FleetJob(tmp_path, "session", "cpu"), 1, lambda event: None)
        scheduler.go_on()
        if len(events) == 2:
            done.touch()

    there = scheduler.in_queue(save_and_go_on)
    assert there == {"7": QueuedJob("RUNNING", "")}
    outcome, notice = events
    assert isinstance(outcome, Outcome)
    assert notice.text == "Slurm does not answer (squeue); waiting, and jobs that run go on"


def test_progress_goes_on_and_notices_come_while_sbatch_waits(tmp_path, monkeypatch):
    fleets = fleets_of(0.1)
    store = Store(tmp_path)
    store.open()
    events = []
    scheduler = scheduler_of(tmp_path, fleets, events)
    scheduler.queued, scheduler.fleets = {"7": None}, {"7": list(fleets)}
    monkeypatch.setattr(launcher, "_NOTICE_SECONDS", 1.0)
    monkeypatch.setattr(launcher, "_LOOK_SECONDS", 0.05)

    class Queue:
        def batch(self):
            launch(fleets, FleetJob(tmp_path, "session", "cpu"), 1, lambda event: None)
            assert within(60, lambda: sum(isinstance(event, Notice) for event in events) >= 2)
            return nullcontext()

        def submit(self, job):
            return "job"

    scheduler.queue = Queue()
    assert scheduler.submit_array([None]) == ["job"]
    assert sum(isinstance(event, Outcome) for event in events) == 1
    first, second, *_ = (event.text for event in events if isinstance(event, Notice))
    assert first != second
    assert first.startswith("sbatch has not answered for ")


def test_a_squeue_that_never_answers_is_ended(tmp_path, monkeypatch):
    fake_command(tmp_path, "squeue", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_queue, "_COMMAND_SECONDS", 0.5)
    monkeypatch.setattr(slurm_queue, "_LOOK_SECONDS", 0.1)
    calls = []
    assert slurm_queue.queued_jobs("name", lambda: calls.append(1)) is None
    assert calls
    assert not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_jobs_that_run_and_report_nothing_are_no_silent_wait(tmp_path, monkeypatch):
    events = []
    scheduler = scheduler_of(tmp_path, (), events)
    scheduler.queued = {"7": None}
    monkeypatch.setattr(launcher, "_NOTICE_SECONDS", 0.1)
    there = {"7": QueuedJob("RUNNING", "")}
    scheduler.explain(there)
    assert events == []
    scheduler.last_waiting -= 1
    for _ in range(3):
        scheduler.explain(there)
    assert events == [Notice("jobs run in Slurm, and have not reported a step yet; waiting")]
    events.clear()
    scheduler.has_reported = True
    scheduler.explain(there)
    assert events == []


def test_jobs_that_no_node_can_run_are_not_waited_for(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(launcher, "_NOTICE_SECONDS", 1.0)
    # as Slurm itself may refuse them at once
    with pytest.raises(
        UsageError, match=r"^Slurm (never starts|refuses) the jobs.*launcher.cpus=64"
    ):
        launch_fleets(fleets_of(0.1), tmp_path / "results", cpus=64)
    assert within(60, lambda: jobs() == "")


def test_a_refusal_names_the_setting_that_an_earlier_line_is_about():
    said = """sbatch: error: Memory specification can not be satisfied
sbatch: error: Batch job submission failed: Requested node configuration is not available"""
    shown = slurm_queue.refusal(FailedJobError(said), {"cpus": 1, "memory_gb": 100})
    assert shown.endswith("Requested node configuration is not available (launcher.memory_gb=100)")
    only = slurm_queue.refusal(FailedJobError(said.splitlines()[1]), {"cpus": 1, "memory_gb": 100})
    assert only.endswith("is not available (launcher.cpus=1)")


def test_only_a_reason_that_no_wait_removes_ends_a_command(tmp_path):
    events = []
    scheduler = scheduler_of(tmp_path, (), events)
    scheduler.queued, scheduler.asked = {"7": None, "8": None}, {"cpus": 64, "gpus": 1}
    scheduler.last_running -= 60
    there = {"7": QueuedJob("PENDING", "Resources"), "8": QueuedJob("PENDING", "PartitionConfig")}
    scheduler.explain(there)
    assert [event.text for event in events] == [
        "all 2 jobs wait in Slurm's queue: PartitionConfig, Resources"
    ]
    there["7"] = there["8"]
    expected = "no node of the default partition has what each asks for: launcher.cpus=64"
    with pytest.raises(UsageError, match=f"{expected}$"):
        scheduler.explain(there)


def test_a_full_queue_is_waited_for_while_jobs_are_in_it(tmp_path, monkeypatch):
    fleets = fleets_of(0.1, 0.2)
    notices = []
    scheduler = scheduler_of(tmp_path, fleets, notices)
    scheduler.due.extend((fleet,) for fleet in fleets)
    error = FailedJobError("sbatch: error: Slurm temporarily unable to accept job")

    def refuse(jobs):
        raise error

    monkeypatch.setattr(scheduler, "submit_array", refuse)
    scheduler.queued["7"] = None
    scheduler.submit()
    assert [fleet for (fleet,) in scheduler.due] == list(fleets)
    assert notices == [Notice("Slurm takes no more than 1 jobs now; the others wait here")]


@pytest.mark.parametrize(
    "refusal", ["temporarily unable to accept job", "Invalid job array specification"]
)
def test_an_array_that_slurm_refuses_is_submitted_in_smaller_ones(tmp_path, monkeypatch, refusal):
    fleets = fleets_of(0.1, 0.2, 0.3, 0.4)
    notices, sizes = [], []
    scheduler = scheduler_of(tmp_path, fleets, notices)
    scheduler.due.extend((fleet,) for fleet in fleets)

    def refuse(jobs):
        sizes.append([job.fleets[0] for job in jobs])
        raise FailedJobError(f"sbatch: error: {refusal}")

    monkeypatch.setattr(scheduler, "submit_array", refuse)
    scheduler.submit()
    scheduler.submit()
    with pytest.raises(UsageError, match=refusal):
        scheduler.submit()
    assert sizes == [list(fleets), list(fleets[:2]), list(fleets[:1])]
    assert [notice.text for notice in notices] == [
        "Slurm takes no 4 jobs at once; trying 2",
        "Slurm takes no 2 jobs at once; trying 1",
    ]


def test_jobs_of_another_user_whose_folder_is_closed_are_not_overlooked(
    left_behind, tmp_path, monkeypatch
):
    stat = Path.stat

    def closed(path, **options):
        if path.parent == left_behind:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", closed)
    monkeypatch.setenv("PATH", str(tmp_path))  # neither squeue nor scancel
    with pytest.raises(UsageError, match="this machine has no squeue to ask"):
        slurm_queue.cancel_left_behind(left_behind.parent)

"""Disturb Slurm under `relu-exp run launcher=slurm` in many ways, and compare what results.

    python tests/slurm_scenarios.py                      (as root, with Debian's slurm-wlm)
    python tests/slurm_scenarios.py --only drained --only held

The cluster is a real one of one node on this machine; the commands are those of a user. A command
that ended early is given again. Whatever happens, the tables are those of an undisturbed sweep, no
run is there twice, no job is left, and nobody waits for long without a word.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash import PROGRAM, SETTINGS, differences, fill, prepare, small_disk, undisturbed
from slurm_cluster import Cluster, NoSlurmError, cluster_in, impatience, told, within

HANG_SECONDS = 240.0
SILENT_SECONDS = 40.0
"""The longest time without a line that is fine: notices come after 15 s, jobs that start load torch
on a machine that others use, too, and squeue itself waits for a controller that is down."""

QUICK = ("launcher=slurm", "launcher.fleets_per_job=6", "--plugin", "quick_slurm")
ELSEWHERE = ("launcher=local", "--workers", "2")

BEGUN: list[Command] = []
"""All commands, to end those that run when this program ends."""


class Command:
    """One `relu-exp run`, whose lines are read, with their times, while it runs."""

    def __init__(
        self, cluster: Cluster, place: Path, words: Sequence[str], before: Sequence[str] = ()
    ) -> None:
        options = [*SETTINGS, *words, "--device", "cpu", "--results", place / "results"]
        self.process = subprocess.Popen(
            [*before, PROGRAM, "run", place / "tiny.yaml", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.moments = [time.monotonic()]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        cluster.watcher.note("group", self.process.pid)
        BEGUN.append(self)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self.moments.append(time.monotonic())
        # it has ended, though others may wait for something else
        self.moments.append(time.monotonic())

    def wait(self) -> int:
        """Wait for the end; return the exit code, -9 if it hangs and has to be killed."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(HANG_SECONDS)
        if self.process.poll() is None:
            self.lines.append("it hung")
            self.end()
        self._thread.join(5)
        return self.process.returncode

    def end(self) -> None:
        """Kill it if it runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def silence(self) -> float:
        """The longest time between two lines."""
        return max(
            later - earlier for earlier, later in zip(self.moments, self.moments[1:], strict=False)
        )


@dataclass
class Scene:
    """What a scenario acts on: a cluster, and a command that works."""

    cluster: Cluster
    place: Path
    command: Command
    num_fleets: int

    @property
    def parts(self) -> int:
        return num_parts(self.place)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something comes true."""
        end = time.monotonic() + 120
        while not condition():
            if time.monotonic() > end or self.command.process.poll() is not None:
                raise AssertionError(f"waited in vain; so far: {self.command.lines[-5:]}")
            time.sleep(0.05)

    def until_pending(self) -> None:
        self.until(lambda: "PENDING" in states())

    def until_running(self) -> None:
        self.until(lambda: self.parts >= 1 and "RUNNING" in states())

    def until_saved(self) -> None:
        self.until(lambda: self.parts >= self.num_fleets)

    def node(self, state: str) -> None:
        words = [f"NodeName={self.cluster.host}", f"State={state}", "Reason=test"]
        # the controller may be down
        within(60, lambda: scontrol("update", *words))


def num_parts(place: Path) -> int:
    """Return how many fleets are saved in a place."""
    return len(list((place / "results" / "tiny" / "parts").glob("[!.]*")))


def states() -> list[str]:
    return told("squeue", "-h", "-a", "-r", "-o", "%T").split()


def ids(state: str) -> list[str]:
    return told("squeue", "-h", "-r", "-t", state, "-o", "%i").split()


def scontrol(*words: str) -> bool:
    return subprocess.run(["scontrol", *words], capture_output=True).returncode == 0


Trouble = Callable[[Scene], None]


@dataclass(frozen=True)
class Scenario:
    """A disturbance, and how the command should end."""

    trouble: Trouble
    words: tuple[str, ...] = ()
    """Settings of the disturbed command."""
    code: int = 0
    says: str = ""
    """What it must print, as a regular expression."""
    then: tuple[str, ...] = QUICK
    """Settings of the command that is given after one that ended early."""
    closed: bool = False
    """Whether the node takes no jobs at the beginning."""
    configuration: tuple[str, ...] = ()
    before: Callable[[Path], Sequence[str]] = lambda place: ()
    """What stands before the command."""
    disk: bool = False
    """Whether the results lie on a small disk of their own."""

    @property
    def all_words(self) -> list[str]:
        """All settings of the disturbed command; a setting is never given twice."""
        own = {word.partition("=")[0] for word in self.words}
        return [*(word for word in QUICK if word.partition("=")[0] not in own), *self.words]


SCENARIOS: dict[str, Scenario] = {}


def scenario(**settings: Any) -> Callable[[Trouble], Trouble]:
    def add(trouble: Trouble) -> Trouble:
        name = trouble.__name__.strip("_").replace("_", " ")
        SCENARIOS[name] = Scenario(trouble, **settings)
        return trouble

    return add


@scenario()
def undisturbed_jobs(scene: Scene) -> None:
    pass


@scenario(closed=True)
def controller_killed_while_jobs_wait(scene: Scene) -> None:
    scene.until_pending()
    scene.cluster.kill("slurmctld")
    time.sleep(5)
    scene.node("resume")


@scenario()
def controller_killed_while_jobs_run(scene: Scene) -> None:
    scene.until_running()
    scene.cluster.kill("slurmctld")


@scenario()
def controller_killed_when_all_is_saved(scene: Scene) -> None:
    scene.until_saved()
    scene.cluster.kill("slurmctld")


@scenario(says="Slurm does not answer")
def controller_down_for_30_seconds(scene: Scene) -> None:
    scene.until_running()
    scene.cluster.kill("slurmctld", 30)


@scenario()
def slurmd_killed(scene: Scene) -> None:
    scene.until_running()
    scene.cluster.kill("slurmd")


@scenario()
def node_down(scene: Scene) -> None:
    scene.until_running()
    scene.node("down")
    time.sleep(4)
    scene.node("resume")


FEW = ("launcher.fleets_per_job=2",)
"""More jobs than run at once."""


@scenario(words=FEW, says="wait in Slurm's queue|job waits")
def node_drained(scene: Scene) -> None:
    scene.until_running()
    scene.node("drain")
    time.sleep(30)
    scene.node("resume")


@scenario(closed=True, says="JobHeld")
def jobs_held(scene: Scene) -> None:
    scene.until_pending()
    held = ids("PENDING")
    for job_id in held:
        scontrol("hold", job_id)
    scene.node("resume")
    time.sleep(25)
    for job_id in held:
        scontrol("release", job_id)


@scenario()
def jobs_requeued(scene: Scene) -> None:
    scene.until_running()
    for job_id in ids("RUNNING"):
        scontrol("requeue", job_id)


@scenario()
def jobs_cancelled_once(scene: Scene) -> None:
    scene.until_running()
    subprocess.run(["scancel", *ids("RUNNING")], check=True)


@scenario(code=1, words=("launcher.max_retries=1",), says="interrupted")
def jobs_cancelled_each_time(scene: Scene) -> None:
    process = scene.command.process
    while process.poll() is None:
        if running := ids("RUNNING"):
            subprocess.run(["scancel", *running], capture_output=True)
        time.sleep(0.5)


@scenario()
def jobs_preempted(scene: Scene) -> None:
    scene.until_running()
    for job_id in ids("RUNNING"):
        subprocess.run(["scancel", "--signal=USR2", job_id], capture_output=True)


@scenario(words=("launcher.time_limit=1",))
def time_limit_of_a_minute(scene: Scene) -> None:
    pass


@scenario()
def time_limit_reached(scene: Scene) -> None:
    scene.until_running()
    for job_id in ids("RUNNING"):
        scontrol("update", f"JobId={job_id}", "TimeLimit=0")


@scenario(says="PartitionDown")
def partition_down(scene: Scene) -> None:
    scontrol("update", "PartitionName=main", "State=DOWN")
    time.sleep(30)
    scontrol("update", "PartitionName=main", "State=UP")


# a job that has ended counts until it is forgotten, by default for five minutes
@scenario(words=FEW, configuration=("MaxJobCount=4", "MinJobAge=2"))
def few_jobs_allowed(scene: Scene) -> None:
    pass


@scenario(words=FEW, configuration=("MaxArraySize=3",))
def small_arrays_allowed(scene: Scene) -> None:
    pass


@scenario(words=("launcher.cpus=64",), code=2, says=r"launcher\.cpus=64")
def cores_that_no_node_has(scene: Scene) -> None:
    pass


@scenario(words=("launcher.memory_gb=100",), code=2, says=r"launcher\.memory_gb=100")
def memory_that_no_node_has(scene: Scene) -> None:
    pass


@scenario(words=("launcher.partition=nowhere",), code=2, says=r"launcher\.partition=nowhere")
def partition_that_is_not_there(scene: Scene) -> None:
    pass


def _kill_driver(scene: Scene) -> None:
    scene.until_running()
    scene.command.process.kill()


@scenario(code=-9)
def driver_killed_and_slurm_goes_on(scene: Scene) -> None:
    _kill_driver(scene)


@scenario(code=-9, then=ELSEWHERE)
def driver_killed_and_local_goes_on(scene: Scene) -> None:
    _kill_driver(scene)


def _end_driver(number: int) -> Trouble:
    def trouble(scene: Scene) -> None:
        scene.until_running()
        os.killpg(scene.command.process.pid, number)

    return trouble


for _number, _name in ((15, "terminated"), (1, "hung up on"), (2, "interrupted")):
    SCENARIOS[f"driver {_name}"] = Scenario(_end_driver(_number), code=130)


@scenario(closed=True, code=130)
def driver_interrupted_while_jobs_wait(scene: Scene) -> None:
    scene.until_pending()
    os.killpg(scene.command.process.pid, signal.SIGINT)
    scene.command.wait()
    if states():
        raise AssertionError(f"jobs are left: {states()}")
    scene.node("resume")


@scenario(code=130)
def driver_interrupted_while_controller_is_down(scene: Scene) -> None:
    scene.until_running()
    scene.cluster.kill("slurmctld", 8)
    time.sleep(2)
    os.killpg(scene.command.process.pid, signal.SIGINT)


def _as_a_job(place: Path) -> Sequence[str]:
    # like sbatch it leaves its limits in the environment; it takes a command in place of a script
    return ("salloc", "--quiet", "--ntasks=1", "--mem=300", "--time=5")


@scenario(before=_as_a_job)
def driver_in_a_job_with_limits(scene: Scene) -> None:
    pass


FAILING = """#!/bin/sh
if [ $(ls {folder} | wc -l) -lt {times} ]; then touch {folder}/$$; exit 1; fi
exec {program} "$@"
"""


def _failing_squeue(place: Path) -> Sequence[str]:
    folder, commands = place / "calls", place / "commands"
    folder.mkdir()
    commands.mkdir()
    script = FAILING.format(folder=folder, times=20, program=shutil.which("squeue"))
    (commands / "squeue").write_text(script)
    (commands / "squeue").chmod(0o755)
    return ("env", f"PATH={commands}:{os.environ['PATH']}")


@scenario(before=_failing_squeue, says="Slurm does not answer")
def squeue_fails_20_times(scene: Scene) -> None:
    pass


@scenario()
def two_drivers_on_one_folder(scene: Scene) -> None:
    scene.until_running()
    second = Command(scene.cluster, scene.place, QUICK)
    if second.wait() != 0 or "finished before" not in "\n".join(second.lines):
        raise AssertionError(f"the second one: {second.lines}")


@scenario(disk=True, code=2, says="No space left|cannot be written|cannot write")
def full_disk(scene: Scene) -> None:
    scene.until_running()
    ballast = fill(scene.place, 0)
    scene.command.wait()
    ballast.unlink()


@dataclass(frozen=True)
class Calm:
    """What an undisturbed sweep measures, by table, and in how many fleets."""

    tables: dict[str, Counter[str]]
    num_fleets: int


def played(one: Scenario, cluster: Cluster, place: Path, calm: Calm) -> tuple[str, ...]:
    """Play a scenario, and return a row of the table."""
    place.mkdir()
    with small_disk(place) if one.disk else nullcontext():
        store, begun = prepare(place), time.monotonic()
        if one.closed:
            words = [f"NodeName={cluster.host}", "State=drain", "Reason=test"]
            scontrol("update", *words)
        command = Command(cluster, place, one.all_words, one.before(place))
        with impatience():
            problems = []
            try:
                one.trouble(Scene(cluster, place, command, calm.num_fleets))
            except AssertionError as error:
                problems.append(str(error))
            code, silence = command.wait(), command.silence
            if code != one.code:
                problems.append(f"exit code {code}")
            if not re.search(one.says, "\n".join(command.lines)):
                problems.append(f"does not say {one.says!r}")
            if code in (0, 130) and not within(30, lambda: not states()):
                problems.append(f"jobs left: {states()}")
            if code:
                again = Command(cluster, place, one.then)
                if (second := again.wait()) != 0:
                    problems.append(f"again: exit code {second}")
                silence = max(silence, again.silence)
                command.lines += ["again:", *again.lines]
        found = differences(store, calm.tables)
        if silence > SILENT_SECONDS:
            problems.append("silent")
        if found.total():
            problems.append("other tables")
        if problems:
            print("\n".join(f"    {line}" for line in command.lines), flush=True)
        return (
            "no" if found["different"] or found["lost"] else "yes",
            str(found["doubled"]),
            f"{silence:.0f} s",
            f"{time.monotonic() - begun:.0f} s",
            "; ".join(problems) or "fine",
        )


@contextmanager
def configured(cluster: Cluster, lines: Sequence[str]) -> Iterator[None]:
    """Let a cluster have more lines in its configuration within the context."""
    if lines:
        cluster.configure(*lines)
    try:
        yield
    finally:
        if lines:
            cluster.configure()


@contextmanager
def commands_ended() -> Iterator[None]:
    """End the commands that run, and the jobs, when the context is left early."""
    try:
        yield
    except BaseException:
        for command in BEGUN:
            command.end()
        told("scancel", "--user=root")
        within(30, lambda: not states())
        raise


def put_right(cluster: Cluster) -> None:
    """Cancel whatever is left, and let the node take jobs again."""
    for thread in cluster.restarts:
        thread.join()
    told("scancel", "--user=root")
    scontrol("update", "PartitionName=main", "State=UP")
    within(60, lambda: not states())
    if told("sinfo", "-h", "-o", "%T") != "idle":
        scontrol("update", f"NodeName={cluster.host}", "State=resume")
    within(60, lambda: told("sinfo", "-h", "-o", "%T") == "idle")


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_as_ctrl_c_does() -> None:
    """Let signals that end this program raise KeyboardInterrupt, also where it has no terminal.

    All that it started is then ended on the way out, and its folder is deleted.
    """

    def interrupt(*_: object) -> None:
        for number in ENDINGS:
            signal.signal(number, signal.SIG_IGN)  # a second one would disturb the end
        raise KeyboardInterrupt

    for number in ENDINGS:
        signal.signal(number, interrupt)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="words of its name")
    parser.add_argument("--list", action="store_true", help="show the names")
    arguments = parser.parse_args()
    chosen = {
        name: one
        for name, one in SCENARIOS.items()
        if not arguments.only or any(words in name for words in arguments.only)
    }
    if arguments.list:
        print("\n".join(chosen))
        return 0
    num_bad = 0
    end_as_ctrl_c_does()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "slurm").mkdir()
        try:
            tables, _ = undisturbed(folder / "undisturbed")
            calm = Calm(tables, num_parts(folder / "undisturbed"))
            with cluster_in(folder / "slurm") as cluster, commands_ended():
                print(told("sinfo", "--version"))
                print("| scenario | same tables | twice | silence | time | |")
                print("|---|---|---|---|---|---|")
                for number, (title, one) in enumerate(chosen.items()):
                    with configured(cluster, one.configuration):
                        row = played(one, cluster, folder / f"scene{number}", calm)
                        put_right(cluster)
                    num_bad += row[-1] != "fine"
                    print(f"| {title} | {' | '.join(row)} |", flush=True)
        except NoSlurmError as error:
            print(error)
            return 2
        except KeyboardInterrupt:
            print("interrupted: the commands and the daemons of Slurm were ended")
            return 130
    print(f"{len(chosen)} scenarios, {num_bad} went wrong")
    return int(num_bad > 0)


if __name__ == "__main__":
    sys.exit(main())

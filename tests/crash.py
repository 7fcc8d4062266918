"""Kill `relu-exp run` at random moments, or fill its disk, and resume: nothing may be lost.

    python tests/crash.py --all          (200 kills of all kinds and 20 full disks)
    python tests/crash.py --kills 200    (and other signals: see SIGNALS)
    python tests/crash.py --fills 50     (mounts a small tmpfs, also read-only: as root)
    python tests/crash.py --nodes 10     (of a Ray cluster on this machine: pip install ray)

Sweeps are disturbed and started again until they are done, and then compared with one that nobody
disturbed: 0 runs lost, 0 doubled, 0 different, 0 processes left running, and no command hung; every
file is readable at every moment. `--seed` repeats the choices, though not the moments, which the
machine decides. The test suite runs a few; the whole of it is run by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from relu_exp.core.schema import TABLES, UsageError
from relu_exp.results.store import Store

PROGRAM = Path(sys.executable).with_name("relu-exp")
SWEEP = """
title: Tiny
question: What is left after a kill?
overrides: {width: 13, num_steps: 300, batch_size: 17, dataset: digits,
            optimizer: sgd, optimizer.momentum: 0.5}
sweep: {activation: [relu, prelu], depth: [1, 3], learning_rate: [0.05, 1.0e+9], seed: range(4)}
figures: [loss_curves]
"""
SETTINGS = ("launcher.fleet_size=3", "launcher.checkpoint_seconds=0")


def command(folder: Path, workers: int) -> list[str | Path]:
    options = ["--device", "cpu", "--workers", str(workers), "--results", folder / "results"]
    return [PROGRAM, "run", folder / "tiny.yaml", *SETTINGS, *options]


def prepare(folder: Path) -> Store:
    folder.mkdir(exist_ok=True)
    (folder / "tiny.yaml").write_text(SWEEP)
    return Store(folder / "results" / "tiny")


Calm = tuple[dict[str, Counter[str]], float]


def undisturbed(folder: Path) -> Calm:
    """Return what a sweep that nobody disturbs measures, and how long it takes."""
    store, begun = prepare(folder), time.monotonic()
    subprocess.run(command(folder, 1), check=True, capture_output=True)
    return measured(store), time.monotonic() - begun


def measured(store: Store) -> dict[str, Counter[str]]:
    """Return how often each row is there, by table, without what differs between sessions."""
    found = {}
    for table in TABLES:
        rows: Counter[str] = Counter()
        for part in store.read(table):
            for row in part.to_pylist():
                for column in ("seconds", "fleet_id", "session"):
                    row.pop(column, None)
                rows[repr(row)] += 1
        found[table] = rows
    # a fleet tabulates the functions of its own activations: the same one in several parts
    found["functions"] = Counter(set(found["functions"]))
    return found


def differences(store: Store, expected: dict[str, Counter[str]]) -> Counter[str]:
    """Return how many runs were lost or are there twice, and in how many rows tables differ."""
    ids: Counter[str] = Counter()
    for part in store.read("runs", ["run_id"]):
        ids.update(part["run_id"].to_pylist())
    found = measured(store)
    rows_apart = sum(
        ((found[table] - expected[table]) + (expected[table] - found[table])).total()
        for table in TABLES
    )
    return Counter(
        lost=expected["runs"].total() - len(store.finished()),
        doubled=sum(count > 1 for count in ids.values()),
        different=rows_apart,
    )


class Reader(threading.Thread):
    """Reads all that lies in a result folder, again and again, and notes what it cannot read."""

    def __init__(self, store: Store) -> None:
        super().__init__(daemon=True)
        self.store, self.looks, self.unreadable = store, 0, []
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.3):
            try:
                for part_id in self.store.part_ids():
                    for table in TABLES:
                        self.store.read_part(part_id, table)
                for path in self.store.manifests.glob("[!.]*.json"):
                    json.loads(path.read_text())
            except (UsageError, ValueError, OSError) as error:
                self.unreadable.append(str(error))
            self.looks += 1

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def wait_for_trouble(
    process: subprocess.Popen[str], store: Store, chance: random.Random, seconds: float
) -> None:
    """Wait until some moment of a command: any, or soon after it began to train or saved a part."""
    watched = chance.choice([None, store.manifests, store.parts, store.parts])
    if watched is None:
        delay = chance.uniform(0, seconds)
    else:
        before = set(os.listdir(watched)) if watched.is_dir() else set()
        while process.poll() is None:
            if watched.is_dir() and set(os.listdir(watched)) - before:
                break
            time.sleep(0.001)
        delay = chance.choice([0.0, 0.003, 0.03, 0.3, 1.0]) * chance.random()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=delay)


HANG_SECONDS = 120.0
"""A command that takes so long after a signal has hung; the whole sweep takes a few seconds."""
LEAVE_SECONDS = 20.0
"""Time that workers have to notice that their command has ended."""


def members(session: int) -> dict[int, int]:
    """Return the processes of a session that run, and the parent of each."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # after the name, which may hold anything: state, parent, group, session
            state, parent, _, of_session = (
                (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            )
            if int(of_session) == session and state not in "ZX":
                found[int(folder.name)] = int(parent)
    return found


def left_running(session: int) -> int:
    """Return how many processes of a command outlive it by far, after ending them."""
    end = time.monotonic() + LEAVE_SECONDS
    while members(session) and time.monotonic() < end:
        time.sleep(0.05)
    left = members(session)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return len(left)


def signal_worker(process: subprocess.Popen[str], chance: random.Random, number: int) -> int | None:
    """Send a signal to one worker, a child of the fork server; return it, None if there is none."""
    end = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < end:
        found = members(process.pid)
        servers = {child for child, parent in found.items() if parent == process.pid}
        if workers := sorted(child for child, parent in found.items() if parent in servers):
            worker = chance.choice(workers)
            with suppress(ProcessLookupError):
                os.kill(worker, number)
                return worker
        time.sleep(0.01)
    return None


def kill_parent(process: subprocess.Popen[str], chance: random.Random) -> None:
    process.kill()


def kill_group(process: subprocess.Popen[str], chance: random.Random) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def kill_worker(process: subprocess.Popen[str], chance: random.Random) -> None:
    signal_worker(process, chance, signal.SIGKILL)


def stop_worker(process: subprocess.Popen[str], chance: random.Random) -> None:
    """Stop a worker for a moment; in half of all cases the command is interrupted meanwhile."""
    worker = signal_worker(process, chance, signal.SIGSTOP)
    time.sleep(chance.uniform(0, 1))
    if worker is not None and chance.random() < 0.5:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
    if worker is not None:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def interrupt(process: subprocess.Popen[str], chance: random.Random) -> None:
    """Press Ctrl-C, which every process of the terminal receives."""
    os.killpg(process.pid, signal.SIGINT)


def interrupt_twice(process: subprocess.Popen[str], chance: random.Random) -> None:
    interrupt(process, chance)
    time.sleep(chance.choice([0.0, 0.01, 0.1, 0.5]) * chance.random())
    with suppress(ProcessLookupError):
        interrupt(process, chance)


def terminate(process: subprocess.Popen[str], chance: random.Random) -> None:
    process.send_signal(chance.choice([signal.SIGTERM, signal.SIGHUP]))


SIGNALS: dict[str, Callable[[subprocess.Popen[str], random.Random], None]] = {
    "parent killed": kill_parent,
    "group killed": kill_group,
    "worker killed": kill_worker,
    "worker stopped": stop_worker,
    "interrupted": interrupt,
    "interrupted twice": interrupt_twice,
    "terminated": terminate,
}
ENDINGS = {"worker killed": (0, 1), "worker stopped": (0, 1, 130)}
"""Exit codes of commands that end by themselves; all others end by the signal."""


def killed(
    folder: Path, calm: Calm, num_kills: int, seed: int, tell: Callable[[str], None]
) -> Counter[str]:
    """Kill sweeps, each until it is done and compared, and return what went wrong how often."""
    chance, tally = random.Random(seed), Counter[str]()
    expected, seconds = calm
    while tally["kills"] < num_kills:
        place = folder / f"sweep{tally['sweeps']}"
        store = prepare(place)
        with Reader(store) as reader:
            while True:
                process = subprocess.Popen(
                    command(place, chance.choice([1, 2, 2])),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
                if tally["kills"] < num_kills:
                    wait_for_trouble(process, store, chance, seconds)
                kind = None
                if process.poll() is None and tally["kills"] < num_kills:
                    # every kind in turn, so that none is left out
                    kind = [*SIGNALS][tally["kills"] % len(SIGNALS)]
                    with suppress(ProcessLookupError):
                        SIGNALS[kind](process, chance)
                    tally["kills"] += 1
                    tally[kind] += 1
                try:
                    out, _ = process.communicate(timeout=HANG_SECONDS)
                except subprocess.TimeoutExpired:
                    tally["hung"] += 1
                    os.killpg(process.pid, signal.SIGKILL)
                    out, _ = process.communicate()
                tally["left running"] += left_running(process.pid)
                if kind is None and process.returncode:
                    raise SystemExit(f"exit code {process.returncode}: {out}")
                if kind in ENDINGS and process.returncode not in ENDINGS[kind]:
                    raise SystemExit(f"{kind}: exit code {process.returncode}: {out}")
                if not process.returncode:
                    break
        tally["unreadable"] += len(reader.unreadable)
        tally["looks"] += reader.looks
        tally["sweeps"] += 1
        tally += differences(store, expected)
        tell(summary(tally) + "".join(f"\n  {words}" for words in reader.unreadable[:3]))
        shutil.rmtree(place)
    return tally


@contextmanager
def small_disk(folder: Path, size: str = "24m") -> Iterator[None]:
    """Mount a small disk in a folder.

    Raises:
        OSError: this system does not let us.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder],
            check=True,
            capture_output=True,
        )
    except subprocess.CalledProcessError as error:
        raise OSError(error.stderr.decode()) from error
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, spare: int) -> Path:
    """Write a file that leaves but a few bytes of the disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(bytes(4096)):
                pass
        file.truncate(max(0, file.tell() - spare))
    return ballast


def frozen(place: Path, chance: random.Random) -> None:
    """Make a disk read-only while a command tries to train there: it is refused in one line."""
    subprocess.run(["mount", "-o", "remount,ro", place], check=True, capture_output=True)
    try:
        done = subprocess.run(
            command(place, chance.choice([1, 2])),
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )
    finally:
        subprocess.run(["mount", "-o", "remount,rw", place], check=True, capture_output=True)
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    if done.returncode not in (0, 2) or len(errors) != (done.returncode == 2):
        raise SystemExit(f"read-only: exit code {done.returncode}: {done.stderr}")


def filled(
    folder: Path, calm: Calm, num_fills: int, seed: int, tell: Callable[[str], None]
) -> Counter[str]:
    """Fill the disk under sweeps, and empty it, until they are done; return what went wrong."""
    chance, tally = random.Random(seed), Counter[str]()
    expected, seconds = calm
    while tally["fills"] < num_fills:
        place = folder / f"disk{tally['sweeps']}"
        with small_disk(place):
            store = prepare(place)
            with Reader(store) as reader:
                code = 2
                while code:
                    if tally["fills"] < num_fills and (
                        not tally["read-only"] or chance.random() < 0.3
                    ):
                        frozen(place, chance)
                        tally["read-only"] += 1
                    process = subprocess.Popen(
                        command(place, chance.choice([1, 2])),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        text=True,
                        start_new_session=True,
                    )
                    ballast = None
                    if tally["fills"] < num_fills:
                        wait_for_trouble(process, store, chance, seconds)
                        ballast = fill(place, chance.choice([0, 4096, 40_000, 200_000]))
                        tally["fills"] += 1
                    _, err = process.communicate(timeout=HANG_SECONDS)
                    tally["left running"] += left_running(process.pid)
                    code = process.returncode
                    if ballast:
                        ballast.unlink()
                    errors = [line for line in err.splitlines() if "error" in line]
                    if code not in (0, 2) or "Traceback" in err or len(errors) != (code == 2):
                        raise SystemExit(f"exit code {code}: {err}")
                    tally["full"] += code == 2
            tally["unreadable"] += len(reader.unreadable)
            tally["looks"] += reader.looks
            tally["sweeps"] += 1
            tally += differences(store, expected)
            tell(summary(tally) + "".join(f"\n  {words}" for words in reader.unreadable[:3]))
    return tally


WRONG = ("lost", "doubled", "different", "left running", "hung", "unreadable")


def summary(tally: Counter[str]) -> str:
    troubles = ("kills", *SIGNALS, "fills", "full", "read-only", "nodes", "fleets lost")
    words = [word for word in troubles if tally[word]]
    words += ["sweeps", "looks", *WRONG]
    return ", ".join(f"{word} {tally[word]}" for word in words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="as --kills 200 --fills 20")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--fills", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    if arguments.all:
        arguments.kills, arguments.fills = arguments.kills or 200, arguments.fills or 20
    print(f"seed {arguments.seed}")
    bad = Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        calm = undisturbed(folder / "undisturbed")
        troubles = [(killed, arguments.kills), (filled, arguments.fills)]
        if arguments.nodes:
            from crash_nodes import lost_nodes

            troubles.append((lost_nodes, arguments.nodes))
        for trouble, number in troubles:
            bad += trouble(folder, calm, number, arguments.seed, partial(print, flush=True))
    print(", ".join(f"{word} {bad[word]}" for word in WRONG))
    return int(any(bad[word] for word in WRONG))


if __name__ == "__main__":
    sys.exit(main())

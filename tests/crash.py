"""Kill `relu-exp run` at random moments, or fill its disk, and resume: nothing may be lost.

    python tests/crash.py --kills 200
    python tests/crash.py --fills 50     (mounts a small tmpfs: as root)
    python tests/crash.py --nodes 10     (of a Ray cluster on this machine: pip install ray)

Sweeps are killed and started again until they are done, and then compared with one that nobody
disturbed: 0 runs lost, 0 doubled, 0 different; every file is readable at every moment. The test
suite runs a few; the whole of it is run by hand.
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

from relu_exp.core.schema import FINISHED, TABLES, UsageError
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
    for part in store.read("runs", ["run_id", "status"]):
        rows = zip(part["run_id"].to_pylist(), part["status"].to_pylist(), strict=True)
        ids.update(run_id for run_id, status in rows if status in FINISHED)
    found = measured(store)
    rows_apart = sum(
        ((found[table] - expected[table]) + (expected[table] - found[table])).total()
        for table in TABLES
    )
    return Counter(
        lost=expected["runs"].total() - len(ids),
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


def kill(process: subprocess.Popen[str], chance: random.Random) -> None:
    """Kill all of a command, or its parent alone, whose workers must not outlive it."""
    if chance.random() < 0.25:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


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
                    command(place, chance.choice([1, 2])),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
                if tally["kills"] < num_kills:
                    wait_for_trouble(process, store, chance, seconds)
                if process.poll() is None and tally["kills"] < num_kills:
                    kill(process, chance)
                    process.communicate()
                    tally["kills"] += 1
                    continue
                out, _ = process.communicate()
                if process.returncode:
                    raise SystemExit(f"exit code {process.returncode}: {out}")
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
                    process = subprocess.Popen(
                        command(place, chance.choice([1, 2])),
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        text=True,
                    )
                    ballast = None
                    if tally["fills"] < num_fills:
                        wait_for_trouble(process, store, chance, seconds)
                        ballast = fill(place, chance.choice([0, 4096, 40_000, 200_000]))
                        tally["fills"] += 1
                    _, err = process.communicate()
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


def summary(tally: Counter[str]) -> str:
    troubles = ("kills", "fills", "full", "nodes", "fleets lost")
    words = [word for word in troubles if tally[word]]
    words += ["sweeps", "looks", "lost", "doubled", "different", "unreadable"]
    return ", ".join(f"{word} {tally[word]}" for word in words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--fills", type=int, default=0)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
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
    return int(any(bad[word] for word in ("lost", "doubled", "different", "unreadable")))


if __name__ == "__main__":
    sys.exit(main())

"""One contract for every launcher: equal tables, failures as rows, errors in one line."""

import importlib
import os
import socket
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from relu_exp.core.launchers import COMMON, LAUNCHERS
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import TABLES, UsageError
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.checkpoints import Checkpointer
from relu_exp.launchers.local import Progress, launch
from relu_exp.launchers.task import FleetJob, Outcome, check_code, code_of_runs
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store

import trainers
from configs import make_run

# one Ray cluster for all, whichever processes share out the tests
pytestmark = pytest.mark.xdist_group("ray")

NO_RAY = "Ray is not installed: pip install 'relu-exp[ray]'"
NO_SLURM = "submitit is not installed: pip install 'relu-exp[slurm]'"
MARKS = {"ray": ("ray", NO_RAY), "slurm": ("submitit", NO_SLURM)}

WAYS = {
    "local-1": ("local", 1, {}),
    "local-2": ("local", 2, {}),
    "ray-driver": ("ray", None, {"results": "driver", "max_retries": 1}),
    "ray-shared": ("ray", 2, {"results": "shared", "max_retries": 1}),
    "slurm": ("slurm", 2, {"cluster": "local", "fleets_per_job": 2, "max_retries": 1}),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Let every process find the trainers, and the folder that they write notes to."""
    patch = pytest.MonkeyPatch()
    tests = str(Path(__file__).parent)
    patch.setenv("PYTHONPATH", os.pathsep.join([tests, *sys.path]))
    notes = tmp_path_factory.mktemp("notes")
    patch.setenv(trainers.NOTES, str(notes))
    patch.setenv("NUM_DOOMED", "2")
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    yield notes
    patch.undo()


@pytest.fixture(scope="module")
def cluster(here):
    """A Ray cluster of three nodes, each a raylet of its own, and a connection to it."""
    ray = pytest.importorskip("ray", reason=NO_RAY)
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 10**8},
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=10**8)
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(params=["local-2", "ray-shared", "slurm"])
def way_of_shared_results(request):
    return launching(request)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv(trainers.NOTES, str(tmp_path))
    return opened(tmp_path / "results")


@pytest.fixture(params=[name for name in WAYS if name != "ray-shared"])
def way(request):
    return launching(request)


@pytest.fixture(params=WAYS)
def any_way(request):
    return launching(request)


def launching(request):
    name, num_workers, settings = WAYS[request.param]
    if name in MARKS:
        module, reason = MARKS[name]
        pytest.importorskip(module, reason=reason)
    request.getfixturevalue("cluster" if name == "ray" else "here")

    def launch_fleets(
        fleets, store, callback=lambda event: None, session="session", train=trainers.train, **more
    ):
        job = FleetJob(store.root, session, "cpu", **more)
        LAUNCHERS[name].launch(fleets, job, num_workers, callback, train, **settings)

    launch_fleets.name = request.param
    return launch_fleets


def opened(folder):
    store = Store(folder)
    store.open()
    return store


def runs_of(*rates, num_seeds=2):
    return [make_run(learning_rate=r, seed=s, width=8) for r in rates for s in range(num_seeds)]


def rows(store):
    """Return every row of every table but when and how fast it was trained, in a fixed order."""
    found = {}
    for table in TABLES:
        parts = [
            part.drop_columns([c for c in ("seconds", "session") if c in part.column_names])
            for part in store.read(table)
        ]
        found[table] = sorted(repr(row) for part in parts for row in part.to_pylist())
    return found


def statuses(store):
    ends = store.ends()
    return Counter(end.status for end in ends.values())


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tables of a sweep as the simplest launcher gives them, and its fleets."""
    store = opened(tmp_path_factory.mktemp("expected"))
    fleets = plan(runs_of(0.1, 0.2, 0.3, num_seeds=3), (), 2).fleets
    launch(fleets, FleetJob(store.root, "session", "cpu"), 1, lambda event: None)
    return fleets, rows(store)


def test_tables_are_equal_bit_for_bit_and_every_fleet_is_told_once(any_way, store, expected):
    fleets, tables = expected
    events = []
    any_way(fleets, store, events.append, train=None)
    assert rows(store) == tables
    ended = Counter(event.fleet.fleet_id for event in events if isinstance(event, Outcome))
    assert ended == {fleet.fleet_id: 1 for fleet in fleets}
    assert not list(store.parts.glob(".*"))


def test_a_run_that_fails_is_a_row_and_a_process_that_dies_costs_its_own_fleet(way, store):
    kills = () if way.name == "local-1" else (trainers.KILLING,)
    runs = [*runs_of(0.1, 0.2), *runs_of(trainers.FAILING, *kills, num_seeds=1)]
    outcomes = []
    way(plan(runs, (), 1).fleets, store, outcomes.append)
    lost = {"interrupted": 1} if kills else {}
    assert statuses(store) == {"done": 4, "failed": 1} | lost
    reasons = [r for event in outcomes if isinstance(event, Outcome) for r in event.reasons]
    assert "ValueError: this run cannot be trained" in reasons
    assert len(reasons) == 1 + len(kills)
    assert all("\n" not in reason for reason in reasons)


def test_ctrl_c_keeps_what_was_saved_and_a_second_start_trains_only_the_rest(way, store):
    runs = [*runs_of(0.1, num_seeds=2), *runs_of(trainers.WAITING, num_seeds=2)]
    fleets = plan(runs, (), 1).fleets
    seen = set()

    def interrupt(event):
        seen.add((event.fleet.runs[0].learning_rate, type(event)))
        if {(0.1, Outcome)} <= seen and (trainers.WAITING, Progress) in seen:
            raise KeyboardInterrupt

    # one of each: whoever has two places trains both at once, whoever has one the short one first
    order = sorted(fleets, key=lambda fleet: fleet.runs[0].learning_rate)
    with pytest.raises(KeyboardInterrupt):
        way(order, store, interrupt)
    kept = store.finished()
    assert kept
    assert kept <= {run.run_id for run in runs if run.learning_rate == 0.1}
    parts = store.part_ids()
    rest = plan(runs, kept, 1).fleets
    way(rest, store, session="second", train=None)
    assert store.finished() == {run.run_id for run in runs}
    assert parts == [part for part in store.part_ids() if part in parts]
    sessions = Counter(end.session for end in store.ends().values())
    assert sessions == {"session": len(kept), "second": len(runs) - len(kept)}


def test_a_fleet_whose_process_is_killed_goes_on_from_its_checkpoint(
    way_of_shared_results, store, expected, monkeypatch
):
    """Where nodes write results they write checkpoints too; here a kill costs one of two lives."""
    # the driver loads the plugin, too: what it changes is undone here afterwards
    for name in ("maybe_save", "load"):
        monkeypatch.setattr(Checkpointer, name, getattr(Checkpointer, name))
    fleets, tables = expected
    fleets = fleets[:2]
    launch_fleets = partial(
        way_of_shared_results, train=None, plugins=("dies_once",), checkpoint_seconds=0.0
    )
    launch_fleets(fleets, store)
    if way_of_shared_results.name == "local-2":  # here it is the user who starts it again
        done = store.finished()
        launch_fleets([fleet for fleet in fleets if fleet.runs[0].run_id not in done], store)
    died, continued = ((store.checkpoints / name).read_text() for name in ("died", "continued"))
    assert int(died) == int(continued) > 0
    assert not list(store.checkpoints.glob("*.pt"))
    assert store.finished() == {run.run_id for fleet in fleets for run in fleet.runs}
    assert set(rows(store)["curves"]) <= set(tables["curves"])


BENT = """
from relu_exp.plugins import activation

@activation(formula="f", reference="made up for this test")
def bent_elsewhere(x):
    return {slope} * x
"""


@pytest.mark.parametrize("name", ["ray", "slurm"])
def test_a_node_with_other_code_of_a_plugin_refuses_to_train(
    name, request, store, tmp_path, monkeypatch
):
    module, reason = MARKS[name]
    pytest.importorskip(module, reason=reason)
    request.getfixturevalue("cluster" if name == "ray" else "here")
    monkeypatch.setattr(ACTIVATIONS, "_entries", dict(ACTIVATIONS._entries))
    file = tmp_path / "bent_elsewhere.py"
    file.write_text(BENT.format(slope=2.0))
    load_plugins([str(file)])
    fleets = plan([make_run(activation="bent_elsewhere")], (), 1).fleets
    file.write_text(BENT.format(slope=3.0))
    launcher, workers, settings = WAYS[f"{name}-driver" if name == "ray" else name]
    job = FleetJob(store.root, "session", "cpu", (str(file),))
    with pytest.raises(
        UsageError, match=r"has other code than .*plugin \S*bent_elsewhere"
    ) as caught:
        LAUNCHERS[launcher].launch(fleets, job, workers, lambda event: None, **settings)
    assert "\n" not in str(caught.value)
    assert not store.finished()


def test_a_node_with_another_engine_or_without_a_plugin_refuses_to_train(store):
    (fleet,) = plan(runs_of(0.1, num_seeds=1), (), 1).fleets
    job = FleetJob(store.root, "session", "cpu")
    code = code_of_runs([fleet], job)
    check_code([fleet], job, code)
    with pytest.raises(UsageError, match="engine code 1234 → "):
        check_code([fleet], job, code | {"engine code": "1234"})
    with pytest.raises(UsageError, match="plugin mine 1234 → unknown"):
        check_code([fleet], job, code | {"plugin mine": "1234"})


def test_what_no_run_can_do_without_ends_the_launch_in_one_line(way, store):
    with pytest.raises(UsageError, match="fashion_mnist is not there") as caught:
        way(plan(runs_of(trainers.ABSENT), (), 1).fleets, store)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", MARKS)
def test_a_launcher_that_is_not_installed_says_what_to_install(name, store, monkeypatch):
    monkeypatch.setitem(sys.modules, LAUNCHERS[name].requires, None)
    fleets = plan(runs_of(0.1), (), 1).fleets
    with pytest.raises(UsageError, match=rf"pip install 'relu-exp\[{name}\]'"):
        LAUNCHERS[name].launch(fleets, FleetJob(store.root, "s", "cpu"), 1, print)


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_says_what_it_is_and_its_file_holds_its_defaults(name):
    from relu_exp.config import sweeps

    entry = LAUNCHERS[name]
    assert entry.summary
    assert len(entry.reference) > 10
    assert all(setting.help for setting in entry.settings.values())
    (sweep,) = sweeps(overrides=[f"launcher={name}"])
    defaults = {key: setting.default for key, setting in entry.settings.items()}
    config = sweep.launcher
    common = {key: getattr(config, key) for key in COMMON}
    assert {**common, **config.own} == defaults


def test_no_launcher_is_imported_before_its_turn():
    import subprocess

    code = "import sys, relu_exp.session.session, relu_exp.config as c"
    code += "; c.sweeps(overrides=['launcher=ray'])"
    code += "; sys.exit(bool({'ray', 'submitit'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cluster_that_does_not_answer_is_one_line(store, monkeypatch):
    ray = pytest.importorskip("ray", reason=NO_RAY)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as nobody:  # bound and not listening: it refuses, and is nobody else's
        nobody.bind(("127.0.0.1", 0))
        free = f"127.0.0.1:{nobody.getsockname()[1]}"
        for address, words in [(free, "no Ray cluster answers"), ("here", "HOST:PORT")]:
            with pytest.raises(UsageError, match=words) as caught:
                LAUNCHERS["ray"].launch(
                    plan(runs_of(0.1), (), 1).fleets,
                    FleetJob(store.root, "session", "cpu"),
                    1,
                    print,
                    address=address,
                )
            assert "\n" not in str(caught.value)


def test_something_else_that_listens_is_one_line(store, monkeypatch):
    ray = pytest.importorskip("ray", reason=NO_RAY)
    from relu_exp.launchers import ray as launcher

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(launcher, "_ANSWER_SECONDS", 2.0)
    with socket.socket() as silent:  # it accepts connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UsageError, match="does not answer like Ray") as caught:
            LAUNCHERS["ray"].launch(
                plan(runs_of(0.1), (), 1).fleets,
                FleetJob(store.root, "session", "cpu"),
                1,
                print,
                address=f"127.0.0.1:{silent.getsockname()[1]}",
            )
        assert "\n" not in str(caught.value)


def test_a_machine_without_slurm_is_told_what_to_do(store, monkeypatch):
    pytest.importorskip("submitit", reason=NO_SLURM)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"launcher\.cluster=local"):
        LAUNCHERS["slurm"].launch(
            plan(runs_of(0.1), (), 1).fleets, FleetJob(store.root, "session", "cpu"), 1, print
        )


def test_a_cluster_without_gpus_is_told_before_anything_waits(cluster, store):
    with pytest.raises(UsageError, match="has no GPU: use --device cpu"):
        LAUNCHERS["ray"].launch(
            plan(runs_of(0.1), (), 1).fleets, FleetJob(store.root, "session", "cuda"), 1, print
        )


def test_ray_nodes_are_lost_during_a_sweep_and_the_tables_are_equal(
    cluster, here, store, expected, monkeypatch
):
    fleets, tables = expected
    # nodes know the folder of the time when they were started, new ones too
    monkeypatch.setenv(trainers.NOTES, str(here))
    (here / "head").write_text(cluster.head_node.node_id)
    lost, is_over = [], threading.Event()

    def lose_nodes():
        while not is_over.is_set():
            for node in list(cluster.worker_nodes):
                if (here / f"victim.{node.node_id}").exists():
                    cluster.remove_node(node, allow_graceful=False)
                    lost.append(node.node_id)
            time.sleep(0.1)

    def replace_nodes(event):
        # here, in the main thread: a node sets signal handlers
        while len(cluster.worker_nodes) < 2:
            cluster.add_node(num_cpus=1, object_store_memory=10**8)

    loser = threading.Thread(target=lose_nodes)
    loser.start()
    job = FleetJob(store.root, "session", "cpu")
    try:
        LAUNCHERS["ray"].launch(
            fleets, job, None, replace_nodes, trainers.train_among_losses, max_retries=3
        )
    finally:
        is_over.set()
        loser.join()
    assert len(lost) == 2
    assert rows(store) == tables


@pytest.mark.parametrize("rate", [trainers.KILLED_ONCE, trainers.PREEMPTED_ONCE])
def test_a_job_that_is_killed_or_preempted_starts_again_and_goes_on(here, store, rate):
    pytest.importorskip("submitit", reason=NO_SLURM)
    fleets = plan(runs_of(0.1, rate, num_seeds=1), (), 1).fleets
    job = FleetJob(store.root, "session", "cpu")
    settings = {"cluster": "local", "fleets_per_job": 2, "max_retries": 1}
    LAUNCHERS["slurm"].launch(fleets, job, 1, lambda event: None, trainers.train, **settings)
    assert statuses(store) == {"done": 2}
    assert not (store.root / "jobs").exists()


def test_a_fleet_that_is_stopped_each_time_is_written_off_and_the_others_go_on(here, store):
    pytest.importorskip("submitit", reason=NO_SLURM)
    fleets = plan(runs_of(trainers.STOPPED, 0.1, num_seeds=1), (), 1).fleets
    order = sorted(fleets, key=lambda fleet: -fleet.runs[0].learning_rate)
    outcomes = []
    LAUNCHERS["slurm"].launch(
        order,
        FleetJob(store.root, "session", "cpu"),
        1,
        outcomes.append,
        trainers.train,
        cluster="local",
        fleets_per_job=2,
        max_retries=1,
    )
    assert statuses(store) == {"done": 1, "interrupted": 1}
    (reason,) = [r for event in outcomes if isinstance(event, Outcome) for r in event.reasons]
    assert "preemption or the time limit" in reason


def test_every_target_is_there():
    for name, entry in LAUNCHERS.items():
        if name in MARKS:
            pytest.importorskip(MARKS[name][0], reason=MARKS[name][1])
        module, _, function = entry.target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))

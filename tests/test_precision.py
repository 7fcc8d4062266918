"""The precision: what it rounds, where it cannot be had, and that no verdict rests on another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.cli import main
from relu_exp.config import sweeps
from relu_exp.core.schema import TABLES, UsageError
from relu_exp.engine.ops import precision
from relu_exp.engine.ops.kernels import Elementwise, conv2d, dense
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.training import train_fleet
from relu_exp.evidence.claims.judging import judge_claim
from relu_exp.evidence.claims.registry import Claim, Evidence, Source
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report.report import build
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store
from relu_exp.session.verify.verification import verify

import synthetic
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

HE = synthetic.configs()[0].initializer
RUNS = synthetic.configs(("sigmoid", "relu"), (HE,), (2,), (0.1,), range(4), probe_steps=())


# In configurations --------------------------------------------------------------------------


def test_a_run_has_float32_unless_it_says_otherwise() -> None:
    (sweep,) = sweeps(["default"], ["seed=0"])
    assert {run.precision for run in sweep.runs()} == {"float32"}


def test_precision_is_an_axis_and_no_fleet_has_two() -> None:
    words = ["precision=float32,bfloat16", "seed=range(3)", "depth=2", "learning_rate=0.1"]
    (sweep,) = sweeps(["default"], words)
    assert sweep.axes["precision"] == ["float32", "bfloat16"]
    fleets = plan(sweep.runs(), (), fleet_size=1000).fleets
    found = [{run.precision for run in fleet.runs} for fleet in fleets]
    assert sorted(found, key=str) == sorted([{"float32"}, {"bfloat16"}] * 5, key=str)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("precision=bf16", r"choose from float32, tf32, bfloat16 \(did you mean bfloat16\?\)"),
        ("precision=Float32", r"did you mean float32\?"),
        ("precision=range(2)", "precision=0 is not valid"),
        ("precisions=bfloat16", r"did you mean precision\?"),
        ("dtype=bfloat16", r"did you mean precision\?"),
    ],
)
def test_what_is_no_precision_is_named(override: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        sweeps(["default"], [override])


# What is rounded ----------------------------------------------------------------------------


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def cut(x: Tensor) -> Tensor:
    """Round to 8 significant bits, ties to even, by arithmetic alone; return doubles."""
    mantissa, exponent = torch.frexp(x.double())
    return torch.ldexp(torch.round(mantissa * 2**8), exponent - 8)


@pytest.mark.parametrize("fused_update", [False, True])
@pytest.mark.parametrize("sizes", [None, (2, 1)])
@pytest.mark.parametrize("width", [12, 10])
def test_operands_are_rounded_to_bfloat16_and_nothing_else(
    width: int, sizes: tuple[int, ...] | None, fused_update: bool
) -> None:
    inputs = draw(2 if sizes else 3, 8, 20, seed=2).requires_grad_(sizes is None)
    h = Samples(inputs, torch.zeros(2, 20), sizes) if sizes else inputs
    W, b = draw(3, width, 8).requires_grad_(), draw(3, width, 1, seed=1).requires_grad_()
    before, bias = W.detach().clone(), b.detach().clone()
    skip = draw(3, width, 20, seed=3)
    with precision.in_use("bfloat16", "cpu"):
        a = dense(h, W, b, Elementwise("tanh", ({},) * 3), skip, fused_update)
        found = a.detach().clone()
        (a * (grad := draw(*a.shape, seed=9))).sum().backward()
    x = inputs.detach()
    x = x[[0, 0, 1]] if sizes else x
    expected = torch.tanh(cut(before) @ cut(x) + bias.double() + skip.double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    dz = (grad * (1 - found * found)).double()
    # a derivative at the edge between two numbers of bfloat16 may go either way
    dW, db, close = cut(dz) @ cut(x).mT, dz.sum(-1, keepdim=True), {"rtol": 1e-3, "atol": 2e-2}
    if fused_update:
        torch.testing.assert_close((before - W.detach()).double(), dW, **close)
        torch.testing.assert_close((bias - b.detach()).double(), db, rtol=1e-4, atol=1e-4)
    else:
        torch.testing.assert_close(W.grad.double(), dW, **close)
        torch.testing.assert_close(b.grad.double(), db, rtol=1e-4, atol=1e-4)
    if not sizes:
        torch.testing.assert_close(inputs.grad.double(), cut(before).mT @ cut(dz), **close)


def test_convolutions_round_their_operands_forward_and_back() -> None:
    h, W = draw(2, 3, 2, 6, 6).requires_grad_(), draw(2, 4, 2, 3, 3, seed=1).requires_grad_()
    b = draw(2, 4, 1, seed=2).requires_grad_()
    grad = draw(2, 3, 4, 6, 6, seed=9)
    with precision.in_use("bfloat16", "cpu"):
        z = conv2d(h, W, b, padding=1)
        found = torch.autograd.grad((z * grad).sum(), (h, W, b))
    x, w = cut(h.detach()).requires_grad_(), cut(W.detach()).requires_grad_()
    each = [F.conv2d(x[run], w[run], padding=1) for run in range(2)]
    expected = torch.stack(each) + b.detach().double()[:, None, :, :, None]
    torch.testing.assert_close(z.double(), expected, rtol=1e-5, atol=1e-5)
    dh, dW = torch.autograd.grad((torch.stack(each) * cut(grad)).sum(), (x, w))
    db = grad.sum((1, 3, 4)).double()[..., None]
    for ours, theirs in zip(found, (dh, dW, db), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-4)


def test_float32_is_back_when_it_is_over() -> None:
    x = draw(3, 8)
    with suppress(ValueError), precision.in_use("bfloat16", "cpu"):
        with precision.in_use("float32", "cpu"):
            assert precision.operand(x) is x
        assert torch.equal(precision.operand(x).double(), cut(x))
        raise ValueError
    assert precision.operand(x) is x


@pytest.mark.parametrize(("name", "cores"), [("float32", "ieee"), ("bfloat16", "tf32")])
def test_a_gpu_is_told_whether_its_tensor_cores_may_round(name: str, cores: str) -> None:
    backends: Any = torch.backends
    switches = (backends.cuda.matmul, backends.cudnn.conv)
    before = [switch.fp32_precision for switch in switches]
    with precision.in_use(name, "cuda"):
        assert [switch.fp32_precision for switch in switches] == [cores, cores]
    assert [switch.fp32_precision for switch in switches] == before


def of_run(tables: Any, table: str, run_id: str) -> pd.DataFrame:
    """Return a run's rows of a table, without what may differ between fleets."""
    found = pd.DataFrame(tables[table]).drop(columns="seconds", errors="ignore")
    return found[found["run_id"] == run_id].reset_index(drop=True)


@pytest.mark.parametrize("network", ["mlp", "small_cnn"])
def test_bfloat16_trains_alike_and_not_the_same(network: str) -> None:
    runs = [
        make_run(num_steps=12, network=network, learning_rate=0.02, precision=name)
        for name in ("float32", "bfloat16")
    ]
    curves = [of_run(train_fleet([run]), "curves", run.run_id) for run in runs]
    exact, rounded = (curve["loss"].to_list() for curve in curves)
    assert rounded == pytest.approx(exact, rel=0.02)
    assert rounded != pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("width", [16, 7])
def test_a_run_in_bfloat16_has_the_same_bits_in_every_fleet(width: int) -> None:
    keys: dict[str, Any] = {"precision": "bfloat16", "width": width, "probe_steps": (0, 4)}
    runs = [make_run(seed=seed, **keys) for seed in (0, 0, 1)]
    runs[1] = replace(runs[1], learning_rate=0.2)
    together = train_fleet(runs)
    for run in runs:
        alone = train_fleet([run])
        for table in (name for name in TABLES if "run_id" in TABLES[name]):
            pd.testing.assert_frame_equal(
                of_run(alone, table, run.run_id),
                of_run(together, table, run.run_id),
                check_exact=True,
                check_dtype=False,  # of an empty table
            )


# Where it cannot be had ---------------------------------------------------------------------


def test_tf32_is_refused_where_nothing_computes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "precision=float32,tf32", "--device", "cpu", "--results", str(tmp_path / "r")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "error: precision=tf32 needs a GPU" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_the_engine_itself_has_no_substitute_for_tf32() -> None:
    with pytest.raises(UsageError, match="precision=tf32 needs a GPU"):
        train_fleet([make_run(precision="tf32")], "cpu")


def test_a_run_that_cannot_be_trained_here_is_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(precision="tf32")
    with monkeypatch.context() as patched:
        patched.setattr(precision, "check", lambda *_: None)
        tables = train_fleet([run], "cpu")
    store = Store(tmp_path / "made")
    store.open()
    tables["runs"] |= {"fleet_id": ["f"], "session": ["s"], "made_from": [None]}
    store.write_part("f", tables)
    assert verify(tmp_path / "made", device="cpu") == 1
    assert "cannot be trained here: precision=tf32 needs a GPU" in capsys.readouterr().out


# In results ---------------------------------------------------------------------------------


def without(column: str, root: Path) -> None:
    """Take a column out of every part's runs, as if it had been written before there was one."""
    for path in root.glob("parts/*/runs.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns([column]), path)


def test_results_of_before_are_float32(tmp_path: Path) -> None:
    root = synthetic.write(tmp_path / "planted", RUNS)
    then = Frames.open(root).runs
    without("precision", root)
    now = Frames.open(root).runs
    assert now.equals(then)
    assert {*now["precision"]} == {"float32"}
    store = Store(root)
    assert store.finished() == {run.run_id for run in RUNS}
    part = store.read_part(store.part_ids()[0], "runs", ["precision", "run_id"])
    assert part.column_names == ["precision", "run_id"]
    alone = store.read_part(store.part_ids()[0], "runs", ["precision"])
    assert alone["precision"].to_pylist() == ["float32"] * part.num_rows


def test_a_part_that_lacks_another_column_is_refused(tmp_path: Path) -> None:
    root = synthetic.write(tmp_path / "planted", RUNS)
    without("probe_samples", root)
    with pytest.raises(UsageError, match="not written by schema version"):
        Frames.open(root)


RULE = Rule(measure="loss of sigmoid over ReLU", says="above 1.1", threshold=1.1, ratio=True)


def slower(evidence: Evidence) -> Effects:
    runs = evidence["planted"].runs
    loss = runs.pivot(index="seed", columns="activation", values="final_train_loss")
    effects = (loss["sigmoid"] / loss["relu"]).rename("effect").reset_index()
    return Effects(effects, scope="planted", run_ids=list(runs["run_id"]))


def claim_on(effects: Callable[[Evidence], Effects]) -> Claim:
    sources = (Source("D2", "2.3"),)
    return Claim("slower", "C", "It is slower.", "", sources, ("planted",), RULE, effects)


def test_no_verdict_rests_on_another_precision(tmp_path: Path) -> None:
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    # were they let in, no seed would have one run
    others = [replace(run, precision="bfloat16") for run in RUNS]
    synthetic.write(alone / "planted", RUNS)
    synthetic.write(beside / "planted", [*others, *RUNS], failed=[others[0].run_id])
    expected = judge_claim(claim_on(slower), Evidence(alone))
    assert expected.name == "supported"
    assert judge_claim(claim_on(slower), Evidence(beside)) == expected
    assert len(Frames.open(beside / "planted").runs) == 2 * len(RUNS)


def test_runs_of_another_precision_alone_decide_nothing(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", [replace(run, precision="bfloat16") for run in RUNS])
    verdict = judge_claim(claim_on(slower), Evidence(tmp_path))
    assert verdict.name == "not decided"
    assert "planted has no run of precision=float32" in verdict.text


def test_a_report_tells_precisions_apart(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    both = [*runs, *(replace(run, precision="bfloat16") for run in runs)]
    root = synthetic.write(tmp_path / "both", both, figures=["loss_curves", "gradient_by_layer"])
    build(root)
    text = (root / "report.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("### ")]
    assert headings
    assert all("precision" in heading for heading in headings)
    assert "| activation | precision |" in text
    assert not any(len(set(drawn)) > 1 for drawn in precisions_drawn(root))


def precisions_drawn(root: Path) -> list[list[str]]:
    from relu_exp.evidence.figures import draw

    frames = Frames.open(root)
    known = frames.runs.set_index("run_id")["precision"]
    figures = ("loss_curves", "gradient_by_layer")
    return [list(known[list(one.run_ids)]) for name in figures for one in draw(name, frames)]


def test_a_report_on_one_other_precision_says_so_everywhere(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    root = synthetic.write(
        tmp_path / "one",
        [replace(run, precision="bfloat16") for run in runs],
        figures=["loss_curves"],
    )
    build(root)
    text = (root / "report.md").read_text()
    assert "precision bfloat16" in text
    assert all("bfloat16" in line for line in text.splitlines() if line.startswith("### "))


def test_a_report_on_float32_does_not_speak_of_it(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    root = synthetic.write(tmp_path / "plain", runs, figures=["loss_curves"])
    build(root)
    assert "precision" not in (root / "report.md").read_text()

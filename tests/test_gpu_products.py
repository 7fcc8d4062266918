"""The GPU's products against float64; without a GPU, Triton's interpreter executes the kernel."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

pytest.importorskip("triton")

PROGRAM = """
import torch
from relu_exp.engine.ops.gpu_products import multiply

torch.manual_seed(0)
for runs, m, k, n in ((3, 10, 7, 5), (2, 100, 40, 128), (4, 65, 530, 33)):
    A, B = torch.randn(runs, m, k), torch.randn(2, n, k).transpose(1, 2)
    group = torch.tensor([0] * (runs - 1) + [1])
    exact = A.double() @ B.double()[group]
    before = torch.randn(runs, m, n)
    for alpha in (None, -1.0, 0.5):
        C = before.clone()
        multiply(C, A, B, alpha, group.int())
        expected = exact if alpha is None else before.double() + alpha * exact
        torch.testing.assert_close(C.double(), expected, rtol=0, atol=1e-6 * k)
        own = before[1:].clone()
        multiply(own, A[1:], B[group[1:]], alpha)
        assert torch.equal(own, C[1:])
print("done")
"""


def test_the_kernel_multiplies_as_float64_does_whatever_is_beside_a_run():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "done\n", done.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("rounds", [False, True])
@pytest.mark.parametrize("shape", [(100, 784, 128), (100, 100, 128), (10, 100, 128), (7, 5, 3)])
def test_on_a_gpu_a_runs_bits_are_those_of_the_run_alone(shape, rounds, monkeypatch):
    from relu_exp.engine.ops.gpu_products import multiply

    monkeypatch.setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32" if rounds else "ieee")
    m, k, n = shape
    A, B = torch.randn(70, m, k, device="cuda"), torch.randn(70, k, n, device="cuda")
    C, alone = A.new_empty(70, m, n), A.new_empty(1, m, n)
    multiply(C, A, B)
    multiply(alone, A[33:34], B[33:34])
    assert torch.equal(alone[0], C[33])
    error = (C.double() - A.double() @ B.double()).norm() / C.double().norm()
    assert error < (1e-3 if rounds else 1e-6)

"""Errata of document D1, in the order of its text."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.erratum import CHECKED, Erratum

__all__ = ["D1"]

D1: tuple[Erratum, ...] = (
    Erratum(
        "D1",
        "ReLU 미분",
        "The derivative of ReLU at x = 0 is 1.",
        "There is none at 0: the slope is 0 on the left and 1 on the right, and every number from "
        "0 to 1 is a subgradient. PyTorch takes 0.",
        "x = 0에서 ReLU의 미분은 1이다.",
        "0에서는 미분할 수 없다. 왼쪽 기울기는 0, 오른쪽은 1이고, 0과 1 사이의 모든 수가 "
        "부분기울기이다. 파이토치는 0을 쓴다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D1",
        "Leaky ReLU 미분",
        "The derivative of leaky ReLU is max(1, α).",
        "1 for x > 0 and α for x < 0. As written it is 1 for every x, for α is below 1: the "
        "derivative of the identity. At α = 0.01 and x = −1 it gives 1, and the slope is 0.01.",
        "Leaky ReLU의 미분은 max(1, α)이다.",
        "x > 0이면 1, x < 0이면 α이다. α < 1이므로 적힌 식은 항상 1, 곧 항등 함수의 미분이다.",
        CHECKED,
        "leaky-relu-derivative-is-max",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "ReLU has a discontinuity at 0.",
        "ReLU is continuous everywhere. What jumps at 0 is its derivative.",
        "ReLU는 0에서 불연속이다.",
        "ReLU는 모든 곳에서 연속이다. 0에서 불연속인 것은 도함수이다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Its lack of smoothness gives ReLU the troubles of the Lasso, and slows convergence.",
        "The kink of the Lasso lies at the optimum, which is why steps of one size bounce about "
        "it; that of ReLU lies in the pre-activations, and an optimum need not have any of them at "
        "0. The same document and the others say that ReLU converges faster.",
        "매끄럽지 않아서 Lasso와 같은 문제를 가지며 수렴이 느려진다.",
        "Lasso의 꺾인 점은 최적점에 있지만 ReLU의 꺾인 점은 각 층의 입력에 있어 최적점과 "
        "일치할 이유가 없다. 같은 문서들이 ReLU의 수렴이 빠르다고도 한다.",
        "measured here: relu-exp claim relu-bounces-near-optimum",
        "relu-bounces-near-optimum",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Once an input is 0 or below, the output is fixed at 0 from then on.",
        "For that sample and for now. A unit that is 0 on some samples learns from the others; it "
        "is dead only when its slope is 0 on all of them.",
        "입력이 한 번 0 이하가 되면 그 뒤로 출력이 0으로 고정된다.",
        "그 샘플에서만 그렇다. 다른 샘플에서 양수이면 계속 학습하며, 모든 샘플에서 기울기가 "
        "0일 때에만 죽은 뉴런이다.",
        "Karpathy, CS231n notes, neural networks 1: never active on any data point (read)",
        "one-negative-input-kills",
    ),
    Erratum(
        "D1",
        "ReLU 의 단점",
        "Dying ReLU means that more than half of the nodes become 0, an excess of sparsity.",
        "Sparse (0 on a given sample, as about half are at the start) and dead (slope 0 on every "
        "sample) are two things. Neither has a limit of one half.",
        "절반 이상의 노드가 0이 되는 지나친 희소성이 dying ReLU이다.",
        "한 샘플에서 0인 것(희소)과 모든 샘플에서 기울기가 0인 것(죽음)은 다르다. "
        "초기에는 보통 절반쯤이 희소하며, 절반이라는 기준도 없다.",
        "Glorot, Bordes, Bengio 2011, AISTATS (second-hand)",
        "relu-activations-are-sparse",
    ),
    Erratum(
        "D1",
        "ReLU 의 장점",
        "ReLU's sparse activations curb overfitting as the L1 norm of the Lasso does.",
        "The Lasso makes weights sparse by a penalty; ReLU makes outputs sparse without one. They "
        "are different quantities. The study that the document cites for leaky ReLU calls its own "
        "findings negative on the belief that sparsity is what makes ReLU good.",
        "ReLU의 희소한 출력이 L1 정규화처럼 과적합을 막는다.",
        "Lasso는 벌점으로 가중치를, ReLU는 벌점 없이 출력을 희소하게 한다. 문서가 인용하는 "
        "Xu 등(2015)은 희소성이 성능의 열쇠라는 믿음에 부정적인 결과를 보고한다.",
        "Xu, Wang, Chen, Li 2015, arXiv:1505.00853, abstract (read)",
        "sparsity-reduces-overfitting",
    ),
    Erratum(
        "D1",
        "ReLU 의 장점",
        "An activation function must be non-linear, and ReLU is so by its slope of 0 below 0.",
        "Any second slope will do: leaky ReLU has none that is 0 and is non-linear too. What makes "
        "both non-linear is that the two slopes differ.",
        "음수에서 기울기가 0이기 때문에 비선형이다.",
        "기울기가 0일 필요는 없다. 두 구간의 기울기가 다르면 비선형이며 Leaky ReLU도 그렇다.",
        CHECKED,
        "linear-layers-collapse",
    ),
    Erratum(
        "D1",
        "Parametric Leaky ReLU (PReLU) and Randomized Leaky ReLU (RReLU)",
        "RReLU uses, for inference, the mean of the values drawn in training.",
        "The mean of the range they are drawn from, (lower + upper) / 2; what was drawn is not "
        "kept.",
        "RReLU는 추론할 때 학습에 쓰인 값들의 평균을 쓴다.",
        "뽑힌 값들이 아니라 뽑는 구간의 평균 (lower + upper) / 2를 쓴다.",
        "torch.nn.RReLU, checked here; Xu, Wang, Chen, Li 2015, arXiv:1505.00853 (second-hand)",
        "rrelu-beats-prelu-on-small-data",
    ),
)

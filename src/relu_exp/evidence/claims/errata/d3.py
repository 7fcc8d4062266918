"""Errata of document D3, in the order of its text."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.erratum import CHECKED, Erratum

__all__ = ["D3"]

D3: tuple[Erratum, ...] = (
    Erratum(
        "D3",
        "활성화 함수(Function)",
        "With linear layers, depth has no use and has the same effect as a single layer.",
        "They compute the same functions. But they do not train alike: one update moves a stack's "
        "product differently from a single layer, and a narrow layer in between limits its rank.",
        "선형 함수를 쓰면 아무리 깊어도 한 층과 같은 효과가 난다.",
        "표현할 수 있는 함수는 같지만 학습은 다르다. 한 번의 갱신에도 곱이 다르게 움직이며, 중간의 "
        "좁은 층은 계수(rank)를 제한한다.",
        "computed here; Saxe, McClelland, Ganguli 2014, arXiv:1312.6120 (second-hand)",
        "linear-layers-collapse",
    ),
    Erratum(
        "D3",
        "계단 함수",
        "The step function is not used because its abrupt outputs lose data.",
        "Its derivative is 0 wherever it exists: gradient descent never moves a weight behind it. "
        "Information lost in the output is not the obstacle.",
        "출력이 급격하게 변해 데이터 손실이 크기 때문에 쓰지 않는다.",
        "도함수가 어디서나 0이라 경사하강법이 그 앞의 가중치를 전혀 움직이지 못하기 때문이다.",
        CHECKED,
        "step-does-not-train",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Derivatives below 0 are multiplied again and again.",
        "Below 1. σ′ is never negative; factors from 0 to 1/4 are what makes the product vanish.",
        "0보다 작은 미분값을 계속 곱한다.",
        "1보다 작다고 해야 한다. σ′는 음수가 되지 않으며 0과 1/4 사이의 값이 곱해져 사라진다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Gradient descent updates a weight by multiplying it with its derivative, and so weights "
        "get smaller and smaller.",
        "It subtracts the learning rate times the derivative. Vanishing gradients make the changes "
        "small; the weights themselves stay where they are.",
        "가중치와 그 미분값을 곱하면서 갱신하므로 가중치값이 계속 작아진다.",
        "학습률과 미분값의 곱을 가중치에서 뺀다. 작아지는 것은 가중치가 아니라 그 변화량이다.",
        "Rumelhart, Hinton, Williams 1986, Nature 323 (second-hand)",
        "saturation-slows-training",
    ),
    Erratum(
        "D3",
        "시그모이드(Sigmoid) 함수",
        "Because its values are continuous, the sigmoid makes the data more reliable.",
        "Finer values are not more reliable ones: the output of a hidden unit is no probability. "
        "What continuity brings is a derivative that is not 0.",
        "연속된 값으로 표현되어 데이터에 대한 신뢰도가 상승한다.",
        "값이 더 세밀한 것은 신뢰도와 다르다. 연속이고 미분 가능하여 0이 아닌 기울기를 얻는 것이 "
        "장점이다.",
        "Rumelhart, Hinton, Williams 1986, Nature 323 (second-hand)",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "ReLU outputs its input above 0, and 0 below 0; at 0 nothing is said.",
        "max(0, 0) = 0. The value at 0 is no matter of taste, only the slope there is.",
        "0보다 크면 그대로, 0보다 작으면 0이라 하여 0에서의 값이 빠져 있다.",
        "max(0, 0) = 0이다. 정해야 할 것은 값이 아니라 0에서의 기울기이다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "ReLU solves vanishing gradients because it outputs 0 for values below 0.",
        "Because its slope is 1 above 0. Below 0 it passes no gradient at all, as the document "
        "says a few lines on: there the gradient has vanished altogether.",
        "0보다 작은 값을 0으로 출력하기 때문에 그래디언트 소실을 해결한다.",
        "양수에서 기울기가 1이기 때문이다. 음수에서는 그래디언트가 아예 사라지며, 문서도 몇 줄 "
        "뒤에 그렇게 적는다.",
        "Glorot, Bordes, Bengio 2011, AISTATS (second-hand)",
        "gradients-vanish-with-depth",
    ),
    Erratum(
        "D3",
        "ReLU(Rectified Linear Unit)",
        "Outputs of 0 remove neurons, so the model gets lighter.",
        "A dense product multiplies zeros like any other number; nothing is removed and no "
        "parameter saved. Only code that skips zeros would gain.",
        "0을 출력하여 뉴런을 제거하므로 모델이 가벼워진다.",
        "밀집 행렬 곱은 0도 똑같이 곱한다. 매개변수도 연산도 줄지 않으며, 0을 건너뛰는 구현에서만 "
        "이득이 있다.",
        "timed here: relu-exp claim relu-zeros-lighten-network",
        "relu-zeros-lighten-network",
    ),
    Erratum(
        "D3",
        "Pytorch 코드 실습",
        "torch.randn(x) gives normalized random numbers of N(0, 1).",
        "Draws from the standard normal distribution; no set of them is normalized.",
        "torch.randn(x)는 정규화된 랜덤값을 출력한다.",
        "표준정규분포에서 뽑은 난수이며, 뽑힌 값들이 정규화되는 것은 아니다.",
        "torch.randn, PyTorch documentation (second-hand)",
    ),
    Erratum(
        "D3",
        "Pytorch 코드 실습",
        "The model declares seven convolutions; the comments give 8×8 after the sixth.",
        "conv7 is declared and never called: 910 parameters without a gradient. The sixth "
        "convolution itself gives 16×16; the 8×8 is after the pooling in the same line. "
        "Called there, conv7 would leave 6×6, and the first linear layer would not fit.",
        "합성곱을 일곱 개 선언하고, 여섯 번째 뒤의 주석은 8×8이다.",
        "conv7은 선언만 되고 호출되지 않아 910개의 매개변수가 쓰이지 않는다. 여섯 번째 합성곱의 "
        "출력은 16×16이고, 8×8은 같은 줄의 풀링을 거친 크기이다.",
        CHECKED,
        "cnn-shapes",
    ),
)

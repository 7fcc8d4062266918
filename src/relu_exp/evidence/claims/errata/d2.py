"""Errata of document D2, in the order of its text."""

from __future__ import annotations

from relu_exp.evidence.claims.errata.erratum import CHECKED, Erratum

__all__ = ["D2"]

D2: tuple[Erratum, ...] = (
    Erratum(
        "D2",
        "1",
        "The weights grow exponentially when gradients explode, and training becomes diverse.",
        "It diverges. And it is the gradients that grow from layer to layer towards the input; "
        "the weights blow up after that, from update to update.",
        "그래디언트가 폭주하면 가중치가 기하급수적으로 커지고 diverse하게 된다.",
        "diverse(다양한)가 아니라 diverge(발산)이다. 층을 따라 커지는 것은 그래디언트이고, "
        "가중치는 그 뒤에 갱신을 거듭하며 커진다.",
        "spelling; Pascanu, Mikolov, Bengio 2013, ICML (second-hand)",
        "gradients-can-explode",
    ),
    Erratum(
        "D2",
        "2.1",
        "The gradient of a saturated neuron is 0, so that nothing at all arrives below it.",
        "It is small, never 0 in exact arithmetic: σ′ = σ(1 − σ) > 0 for every input. It shrinks "
        "by a factor per layer, which is what vanishing means.",
        "포화된 뉴런의 그래디언트는 0이라서 아래층에는 아무것도 전달되지 않는다.",
        "σ′ = σ(1 − σ)는 작을 뿐 결코 0이 아니다. 층마다 일정 비율로 줄어드는 것이 "
        "그래디언트 소실이다.",
        CHECKED,
        "saturating-derivatives-below-one",
    ),
    Erratum(
        "D2",
        "2.1",
        "Because the sigmoid is positive, the weighted sum of outputs tends to exceed that of the "
        "inputs, and therefore the variance grows with every layer.",
        "A positive mean shifts the next pre-activations by the mean times the sum of the weights. "
        "That is a bias, and no reason for a growing variance: what sets the variance over samples "
        "is the weights' size and σ′ ≤ 1/4, by which it shrinks at the usual initializations. "
        "Saturation of the top layer was observed during training, not at the start.",
        "시그모이드의 출력이 양수라서 층을 지날 때마다 분산이 계속 커진다.",
        "양의 평균은 다음 층의 입력을 옮길 뿐 분산을 키울 이유가 아니다. 보통의 초기값에서는 "
        "σ′ ≤ 1/4 때문에 샘플에 대한 분산이 오히려 줄어든다. 최상층의 포화는 학습 중에 관찰된 "
        "현상이다.",
        "Glorot, Bengio 2010, AISTATS, section 3.1 (second-hand); relu-exp claim "
        "sigmoid-variance-grows",
        "sigmoid-variance-grows",
    ),
    Erratum(
        "D2",
        "2.2",
        "tanh is centered on 0, so there is no bias shift.",
        "At the start and for centered inputs. Biases and weights learn, and with them the mean of "
        "a tanh layer moves away from 0; an odd function does not forbid it.",
        "tanh는 원점 중심이므로 편향 이동이 일어나지 않는다.",
        "평균이 0인 입력과 초기 상태에서만 그렇다. 학습이 진행되면 tanh 층의 평균도 0에서 "
        "벗어날 수 있다.",
        "measured here: relu-exp claim tanh-outputs-centred",
        "tanh-outputs-centred",
    ),
    Erratum(
        "D2",
        "2.3",
        "ReLU passes inputs of 0 and above and outputs 0 for inputs of 0 and below.",
        "Harmless for the value, which is 0 either way, but 0 stands on both sides: whoever takes "
        "the derivative from it gets two slopes at 0.",
        "입력이 0 이상이면 그대로, 0 이하이면 0을 출력한다고 하여 0이 두 번 나온다.",
        "값은 어느 쪽이든 0이지만 이 정의로는 0에서의 기울기가 둘이 된다. 한쪽은 초과나 "
        "미만이어야 한다.",
        CHECKED,
        "relu-definition",
    ),
    Erratum(
        "D2",
        "2.3",
        "ReLU converges six times as fast as sigmoid and tanh.",
        "The cited figure compares with tanh only: one four-layer convolutional network, CIFAR-10, "
        "until 25% training error, rates chosen for each. The course notes that the document "
        "follows widened it to sigmoid and tanh, as an example.",
        "ReLU는 sigmoid/tanh보다 6배 빠르게 수렴한다.",
        "인용된 그림은 tanh 하나와만 비교한다. 네 층 합성곱 신경망, CIFAR-10, 훈련 오차 25%라는 "
        "한 가지 설정의 결과이다.",
        "Krizhevsky, Sutskever, Hinton 2012, NIPS 25, figure 1 (second-hand)",
        "relu-six-times-faster",
    ),
    Erratum(
        "D2",
        "3",
        "With a large learning rate about half of the units die; it starts the moment a weighted "
        "sum becomes negative.",
        "The notes it follows say as much as 40%, as an example and an upper range; and a unit is "
        "dead when it is negative on the whole training set, not at the first negative sum.",
        "학습률이 크면 뉴런의 절반 정도가 죽고, 가중치 합이 음수가 되는 순간부터 그렇다.",
        "원전에는 많게는 40%까지라는 예로 나온다. 한 번의 음수가 아니라 모든 훈련 샘플에서 "
        "음수일 때 죽은 것이다.",
        "Karpathy, CS231n notes, neural networks 1 (read)",
        "high-learning-rate-kills-half",
    ),
    Erratum(
        "D2",
        "3",
        "Functions that do not converge (the title of the section on dead units and leaky ReLU).",
        "Functions that do not saturate. Leaky ReLU and PReLU do not; ReLU and ELU do, on the "
        "left. The same word stands for convergence of training elsewhere in the text.",
        "절의 제목이 수렴하지 않는 활성화 함수이다.",
        "포화하지 않는(non-saturating) 활성화 함수가 옳다. 그나마 ReLU와 ELU는 왼쪽에서 포화한다.",
        "Xu, Wang, Chen, Li 2015, arXiv:1505.00853 speaks of non-saturated functions (second-hand)",
    ),
    Erratum(
        "D2",
        "3.2",
        "ELU was proposed in 2105 by B. Xu et al.",
        "In 2015 (ICLR 2016), by Clevert, Unterthiner and Hochreiter. Xu et al. 2015 is the "
        "comparison that introduced RReLU.",
        "ELU는 2105년에 B. Xu 등이 제안했다.",
        "2015년(ICLR 2016)에 Clevert, Unterthiner, Hochreiter가 제안했다. Xu 등(2015)은 RReLU를 "
        "소개한 비교 연구이다.",
        "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, title page and abstract (read)",
        "elu-definition",
    ),
    Erratum(
        "D2",
        "3.2",
        "α is the value to which ELU converges for negative inputs.",
        "−α is, and only far on the left.",
        "α는 음수일 때 ELU가 수렴할 값이다.",
        "수렴하는 값은 −α이며 x → −∞에서 그렇다.",
        CHECKED,
        "elu-definition",
    ),
    Erratum(
        "D2",
        "3.2",
        "ELU's gradient is not 0 for negative inputs, so it makes no dead neurons.",
        "It is αeˣ, which is as small as one likes: at −20 it is 2·10⁻⁹ of α, and in float32 it is "
        "exactly 0 beyond about −104. Saturated units stand still for all practical purposes.",
        "ELU는 음수에서도 그래디언트가 0이 아니므로 죽은 뉴런을 만들지 않는다.",
        "기울기 αeˣ는 얼마든지 작아진다. −20에서는 α의 2·10⁻⁹배이고, float32에서는 약 −104보다 "
        "작으면 정확히 0이다. 포화한 뉴런은 사실상 멈춘다.",
        "derivative αeˣ, checked here; relu-exp claim elu-prevents-dying",
        "elu-prevents-dying",
    ),
    Erratum(
        "D2",
        "TLDR",
        "The order of choice is ELU, leaky ReLU, ReLU, tanh, sigmoid; the course it cites starts "
        "with ReLU, and so does the document's own summary (5).",
        "Two orders that exclude each other stand in one document. No order holds everywhere: it "
        "depends on depth, start and data.",
        "ELU → LeakyReLU → ReLU → tanh → sigmoid 순이라 하고, 바로 뒤와 마무리에서는 ReLU가 "
        "먼저라고 한다.",
        "서로 어긋나는 두 순서가 한 문서에 있다. 어디서나 성립하는 순서는 없으며 깊이, 초기값, "
        "데이터에 따라 달라진다.",
        "D2 itself, TLDR against 5; relu-exp claim activation-ranking",
        "activation-ranking",
    ),
    Erratum(
        "D2",
        "4.2",
        "When every layer but the first outputs 0, all neurons have the same gradient.",
        "The gradients are all near 0, not equal: random weights, however small, differ from unit "
        "to unit. Symmetry (4.1) and vanishing are two failures.",
        "첫 층을 제외한 모든 층이 0을 출력하면 모든 뉴런의 그래디언트가 같아진다.",
        "모두 0에 가까울 뿐 같지는 않다. 작더라도 가중치는 뉴런마다 다르다. 대칭(4.1)과 소실은 "
        "서로 다른 실패이다.",
        "measured here: relu-exp claim small-normal-gradients-identical",
        "small-normal-gradients-identical",
    ),
    Erratum(
        "D2",
        "4.2",
        "With large absolute weights ReLU dies where they are negative and gradients explode where "
        "they are positive.",
        "What counts is the sign of the weighted sum, not that of a weight. Multiplying all "
        "weights by a factor changes no sign of a sum without biases, and so no ReLU's slope at "
        "the start; it makes outputs and gradients large, and the first updates may kill.",
        "가중치의 절댓값이 클 때 음수이면 dead ReLU, 양수이면 그래디언트 폭주가 일어난다.",
        "가중치 하나의 부호가 아니라 가중합의 부호가 문제다. 편향이 0이면 가중치를 몇 배로 해도 "
        "부호와 초기 기울기는 그대로이고, 출력과 그래디언트만 커진다.",
        "max(0, cx) = c·max(0, x) for c > 0; relu-exp claim large-weights-kill-or-explode-relu",
        "large-weights-kill-or-explode-relu",
    ),
    Erratum(
        "D2",
        "4.2",
        "Small random numbers do not suit deep networks (concluded from std 0.01 and from std 1).",
        "One fixed standard deviation for all widths does not. At a width of 10,000 a standard "
        "deviation of 0.01 is exactly 1/√fan_in, which is what 4.3 recommends; and 1 is not small.",
        "표준편차 0.01과 1의 결과에서 작은 난수가 심층 신경망에 맞지 않다고 결론짓는다.",
        "너비와 무관하게 고정한 표준편차가 문제다. 너비 10,000에서는 0.01이 바로 1/√fan_in이며, "
        "1은 작은 난수가 아니다.",
        "variance of a sum of fan_in products; Glorot, Bengio 2010, AISTATS (second-hand)",
        "small-init-fails-deep",
    ),
    Erratum(
        "D2",
        "4.3.1",
        "The sigmoid family (sigmoid, tanh) is symmetric with a linear middle, as Xavier assumes.",
        "Xavier assumes slope 1 and value 0 at 0. tanh has both; the sigmoid has slope 1/4 and "
        "value 1/2 there, so Xavier's weights shrink its signal about fourfold per layer.",
        "시그모이드 계열은 좌우 대칭이고 가운데가 선형이어서 Xavier의 가정에 맞는다.",
        "Xavier는 0에서 기울기 1, 값 0을 가정한다. tanh는 맞지만 시그모이드는 기울기 1/4, 값 "
        "1/2이라 층마다 신호가 약 4배씩 줄어든다.",
        "σ′(0) = 1/4, checked here; Glorot, Bengio 2010, AISTATS (second-hand)",
        "xavier-suits-sigmoid",
    ),
    Erratum(
        "D2",
        "4.3.1",
        "TensorFlow offers Xavier as tf.contrib.xavier_initializer.",
        "It was tf.contrib.layers.xavier_initializer; tf.contrib was removed in TensorFlow 2, "
        "where it is tf.keras.initializers.GlorotNormal and GlorotUniform.",
        "텐서플로는 tf.contrib.xavier_initializer를 제공한다.",
        "tf.contrib.layers.xavier_initializer였고, 텐서플로 2에서는 "
        "tf.keras.initializers.GlorotNormal과 GlorotUniform이다.",
        "TensorFlow API documentation (second-hand)",
    ),
    Erratum(
        "D2",
        "4.3.2",
        "He is √2 times Xavier.",
        "Where both take the same fan, or fan-in equals fan-out. He goes by one fan and Xavier by "
        "the average of two: from 784 to 100 units the factor is 1.06, from 100 to 784 it is 2.97.",
        "He 초기값은 Xavier 초기값의 √2배이다.",
        "같은 fan을 쓰거나 입력과 출력 수가 같을 때만 그렇다. He는 한쪽 fan, Xavier는 평균을 "
        "쓰므로 784→100에서는 1.06배, 100→784에서는 2.97배이다.",
        "computed here; He, Zhang, Ren, Sun 2015, arXiv:1502.01852, eq. 10 (second-hand)",
        "initializer-formulas",
    ),
    Erratum(
        "D2",
        "4.3.2",
        "The reason is to spread outputs wider, because ReLU outputs 0 for negative inputs.",
        "The reason is a factor: ReLU halves the second moment of a symmetric input, and doubling "
        "the weights' variance restores it layer after layer.",
        "ReLU는 음수에서 0을 출력하므로 더 넓게 퍼뜨리기 위해서이다.",
        "ReLU가 대칭인 입력의 제곱 평균을 절반으로 줄이므로, 가중치 분산을 두 배로 하여 층마다 "
        "그것을 되돌리는 것이다.",
        "He, Zhang, Ren, Sun 2015, arXiv:1502.01852, section 2.2 (second-hand)",
        "he-preserves-relu",
    ),
)

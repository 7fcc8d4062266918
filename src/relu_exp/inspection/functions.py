"""What PyTorch's functions mean to an inspection: nonlinearities, weights, views; by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "ACTIVATIONS",
    "FUSED",
    "FUSED_MODULES",
    "NONLINEAR",
    "SATURATING",
    "WEIGHT_FUNCTIONS",
    "is_elementwise",
    "keeps_units",
    "name_of",
]

ACTIVATIONS = frozenset(
    [
        "relu",
        "relu6",
        "sigmoid",
        "expit",
        "tanh",
        "leaky_relu",
        "prelu",
        "rrelu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "tanhshrink",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "log_sigmoid",
        "logsigmoid",
        "hardshrink",
        "softshrink",
        "threshold",
    ]
)
"""Functions that are a nonlinearity wherever they are called on something a weight has made."""

SATURATING = frozenset({"sigmoid", "tanh", "hardtanh", "hardsigmoid", "softsign"})
"""Activations with a slope that vanishes on both sides."""

NONLINEAR = frozenset(
    [
        "where",
        "clamp",
        "clip",
        "clamp_min",
        "clamp_max",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "abs",
        "square",
        "pow",
        "exp",
        "expm1",
        "log",
        "log1p",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "sin",
        "cos",
        "tan",
        "atan",
        "arctan",
        "sinh",
        "cosh",
        "asinh",
        "erf",
        "erfc",
        "sign",
        "heaviside",
        "sinc",
        "logaddexp",
        "log2",
        "exp2",
    ]
)
"""Elementwise functions that are a nonlinearity only if a weight receives what they return:
normalization and attention use them too."""

_AFFINE = frozenset(
    [
        "add",
        "sub",
        "subtract",
        "rsub",
        "mul",
        "multiply",
        "div",
        "true_divide",
        "divide",
        "neg",
        "negative",
        "float",
        "double",
        "half",
        "bfloat16",
        "to",
        "type_as",
        "clone",
        "contiguous",
        "detach",
        "zeros_like",
        "ones_like",
        "full_like",
        "gt",
        "ge",
        "lt",
        "le",
        "eq",
        "ne",
        "greater",
        "less",
        "greater_equal",
        "less_equal",
        "addcmul",
        "addcdiv",
        "lerp",
        "identity",
        "alias",
    ]
)

_VIEWS = frozenset(
    [
        "flatten",
        "view",
        "reshape",
        "contiguous",
        "clone",
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "unsqueeze",
        "squeeze",
        "dropout",
        "dropout1d",
        "dropout2d",
        "alpha_dropout",
        "feature_alpha_dropout",
        "max_pool2d",
        "max_pool1d",
        "avg_pool2d",
        "avg_pool1d",
        "adaptive_avg_pool2d",
        "adaptive_avg_pool1d",
        "adaptive_max_pool2d",
        "max_pool2d_with_indices",
        "boolean_dispatch",
        "fn",
        "mean",
        "permute",
        "transpose",
    ]
)

WEIGHT_FUNCTIONS: Mapping[str, int] = {
    "linear": -1,
    "bilinear": -1,
    "matmul": -1,
    "mm": -1,
    "bmm": -1,
    "addmm": -1,
    "baddbmm": -1,
    "einsum": -1,
    "multi_head_attention_forward": -1,
    "scaled_dot_product_attention": -1,
    "embedding": -1,
    "embedding_bag": -1,
    "lstm": -1,
    "gru": -1,
    "rnn_tanh": -1,
    "rnn_relu": -1,
    "conv1d": 1,
    "conv2d": 1,
    "conv3d": 1,
    "conv_transpose1d": 1,
    "conv_transpose2d": 1,
    "conv_transpose3d": 1,
}
"""Function that multiplies by weights → the axis of its units."""

FUSED = frozenset({"glu", "lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"})
"""Functions with nonlinearities inside that cannot be separated from their weights."""

FUSED_MODULES = frozenset({"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell", "GLU"})

_OPERATORS = {"truediv": "div", "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div"}


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's plain name: `sigmoid` for torch.sigmoid, Tensor.sigmoid_, F.sigmoid."""
    name = str(getattr(function, "__name__", ""))
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        plain = name[1:] if name in _REVERSED else name
        return _OPERATORS.get(plain, plain)
    return name.rstrip("_")


_REVERSED = frozenset({"radd", "rsub", "rmul", "rtruediv", "rdiv", "rpow", "rmatmul"})


def is_elementwise(name: str) -> bool:
    """Return whether each number of the result depends on one number of each tensor."""
    return name in ACTIVATIONS or name in NONLINEAR or name in _AFFINE


def keeps_units(name: str) -> bool:
    """Return whether a function passes on what it receives, as a view, a pool or with dropout."""
    return name in _VIEWS

"""Labels: what people call an activation, an initializer or any other choice in a figure."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, PLACES
from relu_exp.evidence.data.language import Words, current_language, in_language
from relu_exp.evidence.data.texts import Text

__all__ = [
    "NAMES",
    "axis_name",
    "english_label",
    "korean_label",
    "label_choices",
    "stated",
    "with_labels",
]

NAMES: Mapping[str, str] = {
    "identity": "identity",
    "step": "step",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "rrelu": "RReLU",
    "elu": "ELU",
    "selu": "SELU",
    "softplus": "softplus",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "zeros": "zeros",
    "constant": "constant",
    "normal": "normal",
    "uniform": "uniform",
    "xavier_normal": "Xavier",
    "xavier_uniform": "Xavier uniform",
    "he_normal": "He",
    "he_uniform": "He uniform",
    "lecun_normal": "LeCun",
    "orthogonal": "orthogonal",
    "torch_default": "PyTorch default",
    "mlp": "plain MLP",
    "residual_mlp": "residual MLP",
    "document_cnn": "document CNN",
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
}
"""Registry name → what it is called in print, unless results say it themselves."""
_KOREAN_NAMES: Mapping[str, str] = {
    "identity": "항등",
    "step": "계단 함수",
    "sigmoid": "시그모이드",
    "leaky_relu": "Leaky ReLU",
    "zeros": "영행렬",
    "constant": "상수",
    "xavier_uniform": "Xavier 균등",
    "he_uniform": "He 균등",
    "orthogonal": "직교",
    "torch_default": "PyTorch 기본값",
    "mlp": "일반 MLP",
    "residual_mlp": "잔차 MLP",
    "document_cnn": "문서의 CNN",
}
"""The same in Korean, where it is not a name that Korean writes in Latin letters."""

_PUBLISHED_GAINS: Mapping[str, float] = {
    "he_normal": 2**0.5,
    "he_uniform": 2**0.5,
    "xavier_normal": 1.0,
    "xavier_uniform": 1.0,
}
"""The gains that initializers were published with: twice that is 2 × He."""

_PARTS = Words(__package__, "parts.yaml")


def axis_name(axis: str) -> str:
    """Return what a run key, a part of a run or the column of its labels is called in print."""
    if axis in RUN_KEYS:
        return in_language(Text(RUN_KEYS[axis].label, RUN_KEYS[axis].label_ko))
    return _PARTS(axis.removesuffix("_label"))


def english_label(label: str) -> str:
    """Return a label with the names that it has in English, for what is named in all languages."""
    for name, korean in _KOREAN_NAMES.items():
        label = label.replace(korean, NAMES[name])
    return label


def korean_label(label: str) -> str:
    """Return a label with the names that it has in Korean, the inverse of `english_label`."""
    for name, korean in sorted(_KOREAN_NAMES.items(), key=lambda pair: -len(NAMES[pair[0]])):
        label = re.sub(rf"\b{re.escape(NAMES[name])}\b", korean, label)
    return label


def label_choices(
    choices: Iterable[tuple[str, str]], own: Mapping[str, str] | None = None
) -> dict[tuple[str, str], str]:
    """Return a label for each distinct (name, settings as JSON) of one configuration group.

    A setting is shown only where choices of the same name differ in it; the parameter of a
    distribution always is, because `N(0, 0.01²)` is its name. Weights twice as large as He's are
    `2 × He`.

    Args:
        choices: name and settings of each choice.
        own: what the results call some of the names; a name that neither they nor `NAMES` hold is
            printed as it is.
    """
    distinct = list(dict.fromkeys(choices))
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, settings in distinct:
        by_name[name].append(json.loads(settings or "{}"))
    known = {**NAMES, **_KOREAN_NAMES} if current_language() == "ko" else NAMES
    names = {name: (own or {}).get(name) or known.get(name, name) for name in by_name}
    counts = Counter(names.values())
    # two choices under one label would be drawn as one
    names = {
        name: f"{shown} [{name}]" if counts[shown] > 1 else shown for name, shown in names.items()
    }
    varying = {name: _varying(siblings) for name, siblings in by_name.items()}
    return {
        (name, settings): _label(name, names[name], json.loads(settings or "{}"), varying[name])
        for name, settings in distinct
    }


def with_labels(
    runs: pd.DataFrame, own: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> pd.DataFrame:
    """Add a column per setting and a label per configuration group, and order the labels.

    Labels are in the language that is written now, where the results state them in it.

    `own` holds what the results say of names: group → name → `en`, `ko` and `color`. Where they
    state any color of an activation, `activation_color` has it.
    """
    added: dict[str, Any] = {}
    for group in PARTS:
        pairs = list(zip(runs[group], runs[f"{group}_settings"], strict=True))
        parsed = {text: json.loads(text or "{}") for _, text in set(pairs)}
        for key in sorted({key for settings in parsed.values() for key in settings}):
            added[f"{group}.{key}"] = [parsed[text].get(key) for _, text in pairs]
        names = stated(own, group, "en") | stated(own, group, current_language())
        labels = label_choices(pairs, names)
        added[f"{group}_label"] = pd.Categorical(
            [labels[pair] for pair in pairs], categories=list(dict.fromkeys(labels.values()))
        )
    if colors := stated(own, "activation", "color"):
        added["activation_color"] = [colors.get(name, "") for name in runs["activation"]]
    runs = pd.concat([runs, pd.DataFrame(added, index=runs.index)], axis=1)
    for name, key in RUN_KEYS.items():
        if key.choices:
            runs[name] = pd.Categorical(runs[name], categories=key.choices)
        elif key.is_optional and key.column == "int32":
            # whole numbers and nulls, not floats
            runs[name] = runs[name].astype("Int32")
    return runs.astype({"diverged_at": "Int32"})


def stated(
    own: Mapping[str, Mapping[str, Mapping[str, str]]], group: str, field: str
) -> dict[str, str]:
    """Return a field of a group's labels by name, where it is stated."""
    return {name: label[field] for name, label in own.get(group, {}).items() if field in label}


def _varying(siblings: list[dict[str, Any]]) -> set[str]:
    """Return the settings in which choices of one name differ."""
    keys = {key for settings in siblings for key in settings}
    return {
        key
        for key in keys
        if any(other.get(key, ...) != siblings[0].get(key, ...) for other in siblings)
    }


def _label(name: str, shown: str, settings: dict[str, Any], varying: set[str]) -> str:
    base, spoken = _distribution(name, shown, settings)
    if "gain" in varying and (times := _times_usual(name, settings)):
        base, spoken = base if times == "1" else f"{times} × {base}", {*spoken, "gain"}
    phrases = [
        f"{key}={'all' if value is None and key.startswith('num_') else _plain(value)}"
        for key, value in settings.items()
        if key not in spoken and key in varying
    ]
    label = f"{base} ({', '.join(phrases)})" if phrases else base
    # between two dollar signs a figure would read a formula
    return label.replace("$", r"\$")


def _times_usual(name: str, settings: Mapping[str, Any]) -> str:
    """Return a gain in multiples of the published one, where they are plain numbers."""
    gain = settings.get("gain")
    if name not in _PUBLISHED_GAINS or not isinstance(gain, float | int):
        return ""
    times = gain / _PUBLISHED_GAINS[name]
    words = f"{times:.2g}"
    return words if abs(float(words) - times) < 1e-4 * times else ""


def _distribution(name: str, shown: str, settings: dict[str, Any]) -> tuple[str, set[str]]:
    """Return the label without its settings, and the settings that it already tells."""
    if name == "normal" and "std" in settings:
        std = _plain(settings["std"])
        return f"N(0, {std}²)" if std != "1" else "N(0, 1)", {"std"}
    if name == "uniform" and "bound" in settings:
        bound = _plain(settings["bound"])
        return f"U(−{bound}, {bound})", {"bound"}
    if name == "constant" and "value" in settings:
        return f"{shown} {_plain(settings['value'])}", {"value"}
    if name == "table" and settings.get("path"):
        return f"table {settings['path']}", {"path", *PLACES}
    return shown, set()


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    # a setting that is a list is stored as JSON of texts
    return text.replace('"', "") if text.startswith('["') else text

"""The words of the page's explorer in both of its languages."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["EXPLORER"]

EXPLORER: Mapping[str, tuple[str, str]] = {
    "explorer_lead": (
        "Look inside the networks that were trained: the layers’ histograms, signal and gradient, "
        "dead units and the loss, at every probed step. Everything is measured, as the mean over "
        "seeds; what was not run is greyed, never interpolated.",
        "학습한 신경망의 안을 들여다보세요. 측정한 단계마다 층별 히스토그램, 신호와 기울기, 죽은 "
        "유닛, 손실을 볼 수 있습니다. 모두 시드 평균으로 잰 값이며, 실행하지 않은 것은 "
        "회색으로 두고 보간하지 않습니다.",
    ),
    "explorer_empty": (
        "No experiment here has probed its layers.",
        "층을 측정한 실험이 없습니다.",
    ),
    "left_out": ("Left out for size:", "크기 때문에 뺀 실험:"),
    "setting_a": ("Setting A", "설정 A"),
    "setting_b": ("Setting B", "설정 B"),
    "compare": ("two settings side by side", "두 설정을 나란히"),
    "play": ("Play the training", "학습 재생"),
    "pause": ("Pause", "멈춤"),
    "kind": ("Histogram of", "히스토그램"),
    "activation_kind": ("activations", "활성값"),
    "preactivation_kind": ("pre-activations", "활성화 전 값"),
    "activation": ("Activation", "활성화 함수"),
    "initializer": ("Initializer", "초기화"),
    "depth": ("Depth (hidden layers)", "깊이(은닉층 수)"),
    "learning_rate": ("Learning rate", "학습률"),
    "variant": ("Variant", "변형"),
    "step": ("Step (updates made)", "단계(갱신 횟수)"),
    "presets": ("Start", "시작값"),
    "too_small": ("too small", "너무 작게"),
    "too_large": ("too large", "너무 크게"),
    "not_run": ("not run", "실행 안 함"),
    "not_run_long": (
        "This setting was not run. Nearest that was:",
        "이 설정은 실행하지 않았습니다. 실행한 것 중 가장 가까운 설정:",
    ),
    "not_probed": ("not measured at this step", "이 단계에서는 측정하지 않음"),
    "all_gone": (
        "All runs had diverged by this step.",
        "이 단계 전에 모든 실행이 발산했습니다.",
    ),
    "seeds_alive": ("{n} of {total} seeds", "시드 {total}개 중 {n}개"),
    "diverged_of": ("{n} diverged", "발산 {n}개"),
    "layer": ("layer", "층"),
    "layers": ("layers", "층"),
    "update": ("updates", "갱신 횟수"),
    "histograms": ("Each layer’s values", "층별 값의 분포"),
    "histograms_means": (
        "Height: square root of the share, the same scale in every panel, so that a pile-up and a "
        "wide spread both show. ◂ ▸: share outside the range.",
        "높이는 비율의 제곱근이며 모든 칸의 눈금이 같다. 몰림과 퍼짐이 함께 보인다. "
        "◂ ▸: 범위 밖의 비율.",
    ),
    "signal": ("Signal by layer", "층별 신호"),
    "signal_axis": ("standard deviation of the activations", "활성값의 표준편차"),
    "gradient": ("Gradient by layer", "층별 기울기"),
    "gradient_axis": ("norm of the gradient by activations", "활성값에 대한 기울기의 크기"),
    "dead": ("Dead units by layer", "층별 죽은 유닛"),
    "dead_axis": ("share of units", "유닛의 비율"),
    "loss": ("Loss", "손실"),
    "loss_axis": ("as it was trained, by updates made", "학습에 쓴 손실, 갱신 횟수별"),
    "measured": ("measured", "측정"),
    "theory": ("theory, step 0", "이론(0단계)"),
    "train": ("training", "학습"),
    "validation": ("validation", "검증"),
    "dead_now": ("dead", "죽음"),
    "zero_now": ("zero outputs", "출력이 0"),
    "saturated_now": ("saturated", "포화"),
    "accuracy_now": ("validation accuracy", "검증 정확도"),
    "numbers": ("The same in numbers", "숫자로 보기"),
    "from_to": (
        "{name}: {first} in layer 1, {last} in layer {n}",
        "{name}: 1층 {first}, {n}층 {last}",
    ),
}

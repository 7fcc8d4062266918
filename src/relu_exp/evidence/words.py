"""The words of the page in both of its languages; statements and errata bring their own."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LANGUAGES", "WORDS"]

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}

WORDS: Mapping[str, tuple[str, str]] = {
    # key: English, Korean; {n} and the like are filled in
    "title": (
        "{n} claims about activation functions and weight initialization, decided by experiment",
        "활성화 함수와 가중치 초기화에 관한 주장 {n}가지, 실험으로 판정하다",
    ),
    "lead": (
        "What five documents say, and what came out when it was measured.",
        "다섯 문서가 하는 말과, 직접 재어 본 결과.",
    ),
    "skip": ("To the verdicts", "판정으로 바로 가기"),
    "contents": ("Contents", "차례"),
    "answer": ("Answer", "요약"),
    "verdicts": ("Verdicts", "판정"),
    "explorer": ("Explorer", "탐색기"),
    "claims": ("Claims", "주장"),
    "experiments": ("Experiments", "실험"),
    "errata": ("Errata", "정오표"),
    "method": ("Method", "방법"),
    "theme": ("Theme", "테마"),
    "theme_auto": ("as the system", "시스템 설정"),
    "theme_light": ("light", "밝게"),
    "theme_dark": ("dark", "어둡게"),
    "language": ("Language", "언어"),
    # verdicts
    "supported": ("supported", "지지됨"),
    "refuted": ("refuted", "반박됨"),
    "conditional": ("conditional", "조건부"),
    "inconclusive": ("inconclusive", "판단 보류"),
    "not decided": ("not decided", "미판정"),
    "supported_means": ("it holds", "성립한다"),
    "refuted_means": ("it does not hold", "성립하지 않는다"),
    "conditional_means": ("here yes, there no", "곳에 따라 다르다"),
    "inconclusive_means": ("more seeds are needed", "시드가 더 필요하다"),
    "not decided_means": ("its runs are not there", "필요한 실행이 없다"),
    "group_A": ("Formulas", "수식"),
    "group_B": ("Signals at initialization", "초기화 직후의 신호"),
    "group_C": ("Training", "학습"),
    "group_D": ("Dying units and sparsity", "죽는 유닛과 희소성"),
    "group_E": ("Variants", "변형"),
    "group_F": ("Cost", "비용"),
    "surprising": ("What may surprise", "뜻밖일 수 있는 것"),
    "surprising_lead": (
        "Claims that did not hold, or hold in one place and fail in another.",
        "성립하지 않았거나, 어떤 조건에서는 성립하고 다른 조건에서는 깨지는 주장.",
    ),
    "remarks": ("Before you trust it", "믿기 전에"),
    "all_verdicts": ("All verdicts", "모든 판정"),
    # the table
    "filter": ("Filter", "거르기"),
    "search": ("Search", "검색"),
    "search_hint": ("word in a claim", "주장에 나오는 말"),
    "document": ("Document", "문서"),
    "topic": ("Topic", "주제"),
    "verdict": ("Verdict", "판정"),
    "any": ("all", "전체"),
    "reset": ("Clear", "지우기"),
    "shown": ("{n} of {total} claims", "주장 {total}개 중 {n}개"),
    "none_shown": ("No claim fits: clear the filter.", "맞는 주장이 없습니다. 거르기를 지우세요."),
    "claim": ("Claim", "주장"),
    "effect": ("Effect, 95% interval", "효과, 95% 구간"),
    "claimed": ("Claimed", "주장한 값"),
    "claimed_was": ("claimed", "주장"),
    "seeds": ("Seeds", "시드"),
    "distance": ("Against / for", "반대 / 지지"),
    "distance_means": (
        "Bars: the 95% interval's distance from the threshold, in half-widths; right of the line "
        "speaks for the claim. Outside the band the interval lies wholly on one side; the "
        "correction for many claims may still leave it open.",
        "막대: 95% 구간이 문턱값에서 얼마나 떨어져 있는지를 구간 반폭 단위로 나타낸다. 선의 "
        "오른쪽이 주장을 지지하는 쪽이다. 띠 밖이면 구간 전체가 한쪽에 있지만, 다중 비교 "
        "보정 뒤에는 판단이 보류될 수도 있다.",
    ),
    "exact": ("exact", "정확히"),
    # a claim
    "english_note": (
        "Rules, scopes, notes and what papers found are in English only.",
        "규칙, 범위, 주석, 문헌 내용은 영어로만 쓰여 있습니다.",
    ),
    "rule": ("Rule, fixed before the runs", "실행 전에 정한 규칙"),
    "documents": ("In the documents", "문서에서"),
    "interval": ("Effect and interval", "효과와 구간"),
    "part": ("Part of the grid", "격자의 부분"),
    "whole": ("all together", "전체"),
    "threshold": ("threshold {n}", "문턱값 {n}"),
    "claimed_side": ("shaded: the claimed side", "음영: 주장하는 쪽"),
    "scale": ("Scale", "눈금"),
    "map": ("Where it holds", "성립하는 곳"),
    "map_means": (
        "✓ holds there, ✗ fails there, ? open, at a level corrected for the number of parts.",
        "✓ 성립, ✗ 불성립, ? 보류. 부분의 개수를 보정한 수준이다.",
    ),
    "figure": ("Figure", "그림"),
    "scope": ("Scope", "범위"),
    "notes": ("Beside it", "덧붙여"),
    "otherwise": ("Said otherwise, on the same evidence", "같은 근거 위의 다른 주장"),
    "literature": ("Literature", "문헌"),
    "runs": ("Runs", "실행"),
    "num_runs": ("{n} runs of", "실행 {n}개:"),
    "computed": ("computed, not trained:", "학습 없이 계산:"),
    "run_ids": ("their ids", "실행 ID"),
    "more_ids": ("and {n} more, in the manifest", "그 밖의 {n}개는 manifest에"),
    "again": ("Run it again", "다시 실행하기"),
    "copy": ("Copy", "복사"),
    "copied": ("Copied", "복사함"),
    "not_copied": ("Select and copy it by hand", "직접 선택해 복사하세요"),
    "over_seeds": ("over {n} seeds", "시드 {n}개"),
    "link": ("Link to this claim", "이 주장의 링크"),
    # experiments, errata, method
    "experiment": ("Experiment", "실험"),
    "question": ("Question", "물음"),
    "endings": ("Runs", "실행"),
    "commit": ("Commit", "커밋"),
    "budget": ("Budget", "예산"),
    "errata_title": ("Errata of the documents", "문서 정오표"),
    "where": ("Where", "위치"),
    "written": ("As written", "쓰인 대로"),
    "right": ("Right", "바르게"),
    "source": ("Source", "출처"),
    "tested_by": ("tested by", "검증"),
    "calibration": ("How often the machinery is wrong", "이 판정 장치는 얼마나 틀리는가"),
    "calibration_means": (
        "Planted effects whose truth is known, and real arms against themselves, go through the "
        "same functions as the claims. The nominal rate must lie inside the interval (Clopper, "
        "Pearson 1934).",
        "참을 아는 인공 효과와, 실제 실험군을 자기 자신과 비교한 것이 주장과 똑같은 함수를 거친다. "
        "명목 비율이 구간 안에 있어야 한다(Clopper, Pearson 1934).",
    ),
    "went_wrong": ("What went wrong", "틀린 경우"),
    "counted": ("Counted", "횟수"),
    "counted_of": ("{n} of {total}", "{total} 중 {n}"),
    "rate": ("Rate, 95% interval", "비율, 95% 구간"),
    "nominal": ("Nominal", "명목"),
    "inside": ("Inside", "구간 안"),
    "yes": ("yes", "예"),
    "no": ("NO", "아니요"),
    "method_title": ("How a claim is decided", "주장을 판정하는 법"),
    "method_rule": (
        "A rule names a measure, a side and a threshold that contains the least effect worth the "
        "name; it stood before the runs. Every seed gives one effect; arms of a seed share its "
        "data and its draws.",
        "규칙은 측정량, 방향, 그리고 의미 있는 최소 효과를 담은 문턱값을 정하며, 실행하기 전에 "
        "세워 두었다. 시드마다 효과가 하나 나오고, 같은 시드의 실험군은 데이터와 난수를 공유한다.",
    ),
    "method_supported": (
        "the 95% interval over seeds (Student’s t) lies wholly on the claimed side.",
        "시드에 대한 95% 구간(스튜던트 t) 전체가 주장하는 쪽에 있다.",
    ),
    "method_refuted": ("it lies wholly on the other side.", "구간 전체가 반대쪽에 있다."),
    "method_conditional": (
        "it holds in one declared part of the grid and fails in another, at a level corrected for "
        "the number of parts.",
        "미리 정한 격자의 한 부분에서는 성립하고 다른 부분에서는 깨진다"
        "(부분의 개수를 보정한 수준).",
    ),
    "method_inconclusive": (
        "the interval covers the threshold, or Holm’s correction for the number of claims takes "
        "the decision back.",
        "구간이 문턱값을 포함하거나, 주장 수에 대한 Holm 보정 뒤에 판정이 취소된다.",
    ),
    "method_not decided": (
        "the runs it needs are not there; the claim says which.",
        "필요한 실행이 없다. 무엇이 없는지는 주장에 적혀 있다.",
    ),
    "method_exact": (
        "Exact claims are computed, with no statistics. D0 … D4 are the five documents.",
        "정확한 주장은 통계 없이 계산으로 확인한다. D0 … D4는 다섯 문서이다.",
    ),
    "tables": ("The verdicts as tables:", "판정 표:"),
    "made_by": ("Made by", "만든 명령:"),
    # the explorer
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

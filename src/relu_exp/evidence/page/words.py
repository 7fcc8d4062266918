"""The words of the page in both of its languages; statements and errata bring their own."""

from __future__ import annotations

from collections.abc import Mapping

from relu_exp.evidence.page.words_explorer import EXPLORER

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
    # questions
    "questions": ("Ask it", "물어보기"),
    "questions_lead": (
        "What students ask, with the numbers measured here. Large: the mean over seeds; small: its "
        "95% interval.",
        "학생들이 자주 묻는 것과 여기서 잰 수. 큰 글자는 시드 평균, 작은 글자는 95% 구간이다.",
    ),
    "asks_signal": (
        "The last layer’s signal (standard deviation of its outputs) over the first’s, before "
        "training: 1× keeps it, 0 is silence.",
        "학습 전, 첫 층의 신호(출력의 표준편차)에 대한 마지막 층의 신호. 1×이면 그대로이고 "
        "0이면 사라진 것이다.",
    ),
    "asks_gradient": (
        "The first layer’s gradient over the last’s, before training: 1× arrives whole.",
        "학습 전, 마지막 층의 기울기에 대한 첫 층의 기울기. 1×이면 그대로 닿는다.",
    ),
    "asks_dead": (
        "Share of all hidden units that are dead (derivative 0 on every training sample) at the "
        "last probe.",
        "마지막 측정에서 죽은(모든 학습 표본에서 도함수가 0인) 은닉 유닛의 비율.",
    ),
    "asks_saturated": (
        "Share of saturated outputs before training, the mean over layers.",
        "학습 전 포화된 출력의 비율, 층 평균.",
    ),
    "asks_accuracy": (
        "Test accuracy at the best validated learning rate (and initialization, where several "
        "were tried); a run that diverged counts as 0.",
        "검증으로 고른 가장 좋은 학습률(여럿을 시도했으면 초기화도)에서의 시험 정확도. 발산한 "
        "실행은 0으로 센다.",
    ),
    "asks_updates": (
        "Updates to a training loss of 0.5 at the fastest learning rate; a run that never gets "
        "there counts with all its updates.",
        "가장 빠른 학습률에서 학습 손실 0.5에 이르기까지의 갱신 횟수. 이르지 못한 실행은 갱신 "
        "횟수 전부로 센다.",
    ),
    "asks_revived": (
        "Of the units that were dead at one probe, the share that was alive at a later one.",
        "한 번 죽은 것으로 측정된 유닛 가운데 나중에 살아 있던 것의 비율.",
    ),
    "axis_depth": ("depth", "깊이"),
    "axis_learning_rate": ("learning rate", "학습률"),
    "axis_activation": ("activation", "활성화 함수"),
    "axis_initializer": ("initializer", "초기화"),
    "axis_arm": ("network", "신경망"),
    "axis_optimizer": ("optimizer", "최적화"),
    "axis_place": ("layer", "층"),
    "asks_seeds": ("{n} seeds.", "시드 {n}개."),
    "and_claims": ("What that decides:", "이것으로 판정한 주장:"),
    "look_inside": ("Look inside, in the explorer", "탐색기에서 들여다보기"),
    "surprising": ("What may surprise", "뜻밖일 수 있는 것"),
    "surprising_lead": ("Claims that did not hold.", "성립하지 않은 주장."),
    "surprising_more": (
        "{n} more hold in one place and fail in another",
        "어떤 조건에서는 성립하고 다른 조건에서는 깨지는 주장 {n}개 더 보기",
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
    "documents_are": (
        "D0 … D4 are the five Korean documents whose claims these are.",
        "D0 … D4는 이 주장들이 나온 다섯 한국어 문서이다.",
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
    "over_repeats": ("over {n} repeats", "{n}회 반복"),
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
        "the number of parts. Where a rule speaks of every part, of some or of how many, the parts "
        "decide, and the effect shown is their mean.",
        "미리 정한 격자의 한 부분에서는 성립하고 다른 부분에서는 깨진다"
        "(부분의 개수를 보정한 수준). 규칙이 모든 부분, 어떤 부분, 부분의 개수를 말할 때는 "
        "부분들이 판정을 정하며, 표시된 효과는 그 평균이다.",
    ),
    "method_inconclusive": (
        "an interval that must decide covers the threshold, or Holm’s correction for the number of "
        "claims takes the decision back.",
        "판정에 필요한 구간이 문턱값을 포함하거나, 주장 수에 대한 Holm 보정 뒤에 판정이 취소된다.",
    ),
    "method_not decided": (
        "the runs it needs are not there; the claim says which.",
        "필요한 실행이 없다. 무엇이 없는지는 주장에 적혀 있다.",
    ),
    "method_exact": (
        "Exact claims are computed, with no statistics.",
        "정확한 주장은 통계 없이 계산으로 확인한다.",
    ),
    "tables": ("The verdicts as tables:", "판정 표:"),
    "made_by": ("Made by", "만든 명령:"),
    **EXPLORER,
}

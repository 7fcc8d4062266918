"""The story and the glossary: numbers from the runs that are there, and words for every term."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markupsafe import Markup

from relu_exp.core.schema import Choice, RunConfig, histogram_edges
from relu_exp.evidence.claims.registry import Evidence, all_claims
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.page import glossary
from relu_exp.evidence.page.glossary import GLOSSARY, TERMS, explain
from relu_exp.evidence.page.panels import Scale
from relu_exp.evidence.page.starts import DEPTH, EXPERIMENT, OPTIONS, find_start
from relu_exp.evidence.page.story import ASKED, story_steps
from relu_exp.evidence.page.words import WORDS

import synthetic

SMALL, UNIT = (Choice("normal", (("std", std),)) for std in (0.01, 1.0))
XAVIER = Choice("xavier_normal", (("gain", 1.0),))
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
WIDTH = 100
EDGES = np.array(histogram_edges("activation"))


def starts(depths: tuple[int, ...] = (DEPTH,), **more: object) -> list[RunConfig]:
    """Return the runs of every step, and of a start that none asks for."""
    shape = {"depths": depths, "learning_rates": (0.1,), "seeds": (0, 1, 2), "width": WIDTH}
    return [
        *synthetic.configs(("tanh",), (SMALL, UNIT, XAVIER, HE), **shape, **more),
        *synthetic.configs(("relu",), (XAVIER, HE), **shape, **more),
    ]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("story")
    synthetic.write(root / EXPERIMENT, starts((2, DEPTH, 9)))
    return root


def rewritten(root: Path, table: str, change: object) -> None:
    """Change a table of the results in place."""
    for path in (root / EXPERIMENT / "parts").glob(f"*/{table}.parquet"):
        schema = pq.read_schema(path)
        changed = change(pq.read_table(path).to_pandas())  # type: ignore[operator]
        made = pa.Table.from_pandas(changed, schema, preserve_index=False)
        pq.write_table(made.replace_schema_metadata(schema.metadata), path)
        path.with_name("SHA256SUMS").unlink(missing_ok=True)


def counts_of(
    root: Path, activation: str, initializer: str, std: float | None = None
) -> np.ndarray:
    """Return the counts of the histograms of a start: seeds, layers, bins, read by hand."""
    runs = pd.concat(map(pd.read_parquet, (root / EXPERIMENT / "parts").glob("*/runs.parquet")))
    runs = runs[(runs["activation"] == activation) & (runs["initializer"] == initializer)]
    runs = runs[runs["depth"] == DEPTH]
    if std is not None:
        runs = runs[[json.loads(text)["std"] == std for text in runs["initializer_settings"]]]
    tables = map(pd.read_parquet, (root / EXPERIMENT / "parts").glob("*/histograms.parquet"))
    rows = pd.concat(tables)
    rows = rows[rows["run_id"].isin(runs["run_id"]) & (rows["kind"] == "activation")]
    rows = rows.sort_values(["run_id", "layer"])
    return np.stack(rows["counts"].to_list()).reshape(len(runs), DEPTH, -1)


def test_shares_are_those_that_numpy_counts_in_the_planted_histograms(root: Path) -> None:
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    for (std, initializer), inside, number in (
        ((0.01, "normal"), np.abs(middles) < 0.125, 0),
        ((1.0, "normal"), np.abs(middles) > 0.975, 1),
        ((None, "xavier_normal"), (np.abs(middles) > 0.125) & (np.abs(middles) < 0.975), 2),
    ):
        counts = counts_of(root, "tanh", initializer, std)
        shares = (counts[..., 1:-1][..., inside].sum(-1) / counts.sum(-1)).mean(0)
        step = story_steps(Evidence(root))[number]
        assert step.seen is not None
        found = [float(each.rstrip("%")) for each in step.seen.numbers]
        np.testing.assert_allclose(found, 100 * shares, rtol=6e-3)
        for sentence in step.seen.found:
            assert step.seen.numbers[-1] in sentence
    assert [step.seen.outcome for step in story_steps(Evidence(root))[:3] if step.seen] == [
        "near_zero",
        "at_ends",
        "between",
    ]


def test_spreads_are_means_over_seeds_and_their_factor_is_that_of_a_layer(root: Path) -> None:
    planted = {"relu": [0.8, 0.4, 0.2, 0.1, 0.05]}

    def plant(layers: pd.DataFrame) -> pd.DataFrame:
        is_it = layers["quantity"] == "activation_std"
        of_relu = layers["run_id"].isin(ids) & (layers["layer"] <= DEPTH)
        values = np.array(planted["relu"])[np.clip(layers["layer"], 1, DEPTH) - 1]
        return layers.assign(value=np.where(is_it & of_relu, values, layers["value"]))

    runs = [run for run in starts() if run.activation.name == "relu"]
    ids = [run.run_id for run in runs if run.initializer == XAVIER]
    rewritten(root, "layers", plant)
    *_, xavier, he = story_steps(Evidence(root))
    assert xavier.seen is not None
    assert he.seen is not None
    assert xavier.seen.outcome == "shrinks"
    assert xavier.seen.numbers == ["0.8", "0.4", "0.2", "0.1", "0.05"]
    assert "to 0.5 times" in xavier.seen.found.en
    assert "0.5배로" in xavier.seen.found.ko
    assert he.seen.outcome != "shrinks"
    assert he.seen.numbers[0] != xavier.seen.numbers[0]


@pytest.mark.parametrize(
    ("factor", "outcome"), [(0.5, "shrinks"), (0.95, "stays"), (1.05, "stays"), (1.5, "grows")]
)
def test_the_right_answer_is_what_was_measured(tmp_path: Path, factor: float, outcome: str) -> None:
    synthetic.write(tmp_path / EXPERIMENT, starts())
    rewritten(tmp_path, "layers", lambda rows: rows.assign(value=0.5 * factor ** rows["layer"]))
    for step in story_steps(Evidence(tmp_path))[3:]:
        assert step.seen is not None
        assert step.seen.outcome == outcome
        assert step.seen.outcome in step.options


def test_collapse_is_not_told_where_outputs_pile_up(tmp_path: Path) -> None:
    synthetic.write(tmp_path / EXPERIMENT, starts())

    def piled(rows: pd.DataFrame) -> pd.DataFrame:
        at_ends = np.zeros(len(EDGES) + 1, dtype=int)
        at_ends[1 + np.searchsorted(EDGES, 1.0) - 1] = 7
        is_it = rows["kind"] == "activation"
        return rows.assign(
            counts=[
                list(at_ends) if here else old
                for here, old in zip(is_it, rows["counts"], strict=True)
            ]
        )

    rewritten(tmp_path, "histograms", piled)
    for step in story_steps(Evidence(tmp_path))[:3]:
        assert step.seen is not None
        assert (step.seen.outcome, set(step.seen.numbers)) == ("at_ends", {"100%"})


def test_the_reason_is_computed_from_the_weights(root: Path) -> None:
    small, large, xavier, starving, he = story_steps(Evidence(root))
    for step, std, gain in ((small, 0.01, 0.1), (large, 1, 10), (xavier, 0.1, 1)):
        assert step.seen is not None
        for text in step.seen.why:
            assert f"{std} × √100 = {gain}" in text
    assert starving.seen is not None
    assert he.seen is not None
    assert "1 × √½ = 0.707" in starving.seen.why.en
    assert "1.41 × √½ = 1." in he.seen.why.en


def test_the_documents_depth_is_shown_or_the_nearest(root: Path, tmp_path: Path) -> None:
    for step in story_steps(Evidence(root)):
        assert step.seen is not None
        assert len(step.seen.panels) == len(step.seen.numbers) == DEPTH
        assert step.seen.view.depth == DEPTH
        assert "5 layers of 100" in step.seen.facts.en
        assert "mean of 3 seeds" in step.seen.facts.en
    synthetic.write(tmp_path / EXPERIMENT, starts((2, 3)))
    assert {len(step.seen.panels) for step in story_steps(Evidence(tmp_path)) if step.seen} == {3}


def test_a_step_without_runs_says_which_command_makes_them(tmp_path: Path) -> None:
    assert story_steps(Evidence(tmp_path)) == []
    kept = [run for run in starts() if run.activation.name == "tanh"]
    synthetic.write(tmp_path / EXPERIMENT, kept)
    steps = story_steps(Evidence(tmp_path))
    assert [step.seen is not None for step in steps] == [True, True, True, False, False]
    assert f"relu-exp run {EXPERIMENT}" in steps[-1].command


def test_runs_without_histograms_are_missing(tmp_path: Path) -> None:
    synthetic.write(tmp_path / EXPERIMENT, starts())
    rewritten(tmp_path, "histograms", lambda rows: rows[rows["kind"] != "activation"])
    assert find_start(Evidence(tmp_path), "relu", "He", "spread") is None
    assert story_steps(Evidence(tmp_path)) == []


def test_a_panel_draws_each_share_and_cuts_off_spikes() -> None:
    share = np.zeros(len(EDGES) + 1)
    zero = 1 + int(np.searchsorted(EDGES, 0.0)) - 1
    share[zero : zero + 61] = [0.5, *np.linspace(0.016, 0.0, 60)]
    share[-1] = 0.01
    scale = Scale.of([share])
    panel = scale.panel(share)
    assert panel.labels == [("50%", "left"), ("1% →", "right")]
    heights = [100 - float(each) for each in re.findall(r"V([\d.]+)", panel.outline)[:-1]]
    assert max(heights) == 100
    inside = share[1 + scale.first : 1 + scale.last]
    np.testing.assert_allclose(heights, 100 * np.minimum(inside / scale.top, 1), atol=0.05)


def test_steps_of_one_activation_have_one_scale(root: Path) -> None:
    steps = story_steps(Evidence(root))
    ticks = [step.seen.ticks for step in steps if step.seen]
    assert ticks[0] == ticks[1] == ticks[2]
    assert ticks[3] == ticks[4] != ticks[0]
    assert [text for _, text in ticks[0]] == ["−1", "0", "1"]


def test_the_story_names_claims_and_options_that_exist() -> None:
    claims = {one.id for one in all_claims()}
    assert len(ASKED) == 5
    for asked in ASKED:
        assert asked.claim in claims
        assert 2 <= len(OPTIONS[asked.measure]) <= 3
        for option in OPTIONS[asked.measure]:
            assert {option, f"told_{option}"} <= {*WORDS}


def test_every_term_is_explained_in_both_languages() -> None:
    assert sum(map(len, GLOSSARY.values())) == len(TERMS) >= 20
    for id, (term, meaning) in TERMS.items():
        assert re.search("[가-힣]", meaning.ko), id
        assert not re.search("[가-힣]", term.en + meaning.en), id
        assert meaning.en.endswith("."), id
        assert meaning.ko.endswith("."), id
        assert "갱신" not in meaning.ko, id
    for language in (0, 1):
        assert len({term[language].lower() for term, _ in TERMS.values()}) == len(TERMS)
    for topic in GLOSSARY:
        assert f"glossary_{topic}" in WORDS


@pytest.mark.parametrize(
    ("key", "ids"),
    [("questions_lead", ("seed", "interval")), ("distance_means", ("threshold",)),
     ("method_rule", ("rule", "threshold", "effect", "arm"))],
)  # fmt: skip
def test_a_term_is_linked_where_it_first_stands_and_the_text_stays(
    key: str, ids: tuple[str, ...]
) -> None:
    made = explain(key, *ids)
    for id in ids:
        assert made.count(f'href="#term-{id}"') == 2, id
    assert Markup(made).striptags().replace(" ", "") == "".join(WORDS[key]).replace(" ", "")


def test_a_text_without_the_term_is_unchanged_and_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {"both": Text("<b> A seed, seeds", "<b> 시드"), "none": Text("<i> seedling", "<i> 씨")}
    monkeypatch.setattr(glossary, "WORDS", texts)
    assert "<a" not in explain("none", "seed")
    made = explain("both", "seed")
    assert made.count("&lt;b&gt;") == 2
    assert made.count("<a ") == 2

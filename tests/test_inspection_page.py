"""What an inspection shows: its page, its figures and its result folder."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from markupsafe import escape
from torch import Tensor, nn

import relu_exp
from relu_exp.cli import main
from relu_exp.core.lines import num_cells
from relu_exp.core.schema import UsageError, histogram_edges
from relu_exp.evidence.data.language import language
from relu_exp.evidence.data.texts import texts_of
from relu_exp.inspection.charts import histogram_svg
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.histograms import Spread, spread_of
from relu_exp.inspection.inspecting import Report
from relu_exp.inspection.page import WORDS
from relu_exp.inspection.report import COLUMNS
from relu_exp.session.verify.audit import check_results

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH = 40


def network(depth: int = 6) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Linear(WIDTH if index else 20, WIDTH), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, 5))


def batch() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(64, 20, generator=draws), torch.randint(0, 5, (64,), generator=draws)


@pytest.fixture(scope="module")
def report() -> Report:
    return relu_exp.inspect(network(), batch())


class Named(nn.Module):
    """A network whose names are markup."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({"<b>one</b>": nn.Linear(20, 8)})
        self.unused, self.out = nn.Linear(3, 3), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.layers["<b>one</b>"](x)))


def svgs(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page)]


def test_the_page_says_what_was_found_before_the_table_and_the_figures(
    report: Report, tmp_path: Path
) -> None:
    page = report.save(tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    (finding, *_) = report.findings
    assert finding.kind == "gradient_vanishes"
    places = [page.index(word) for word in ('id="findings"', 'id="layers"', 'id="figures"')]
    assert places[0] < page.index(finding.text.split(";")[0]) < places[1] < places[2]
    with language("ko"):
        assert "층 '0 → sigmoid' … '10 → sigmoid'" in finding.text
        assert escape(finding.text) in page
        assert escape(finding.remedy) in page
    assert f"relu-exp claim {finding.claim}" in page
    for layer in report.layers:
        assert page.count(layer.label) >= 2
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_every_text_of_the_page_is_there_in_both_languages(report: Report, tmp_path: Path) -> None:
    page = report.save(tmp_path / "page.html").read_text(encoding="utf-8")
    texts = re.findall(r'class="t" lang="(en|ko)"', page)
    assert texts.count("en") == texts.count("ko") > 50
    assert set(COLUMNS) <= set(WORDS)


def test_a_page_opens_in_the_language_that_was_asked_for(report: Report, tmp_path: Path) -> None:
    page = report.save(tmp_path / "page.html", language="ko").read_text(encoding="utf-8")
    assert '<html lang="ko">' in page
    with pytest.raises(UsageError, match="valid: en, ko"):
        report.save(tmp_path / "page.html", language="fr")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        report.save(tmp_path / "file" / "page.html")


def test_names_from_a_network_are_text_and_what_was_missed_is_said(tmp_path: Path) -> None:
    report = relu_exp.inspect(Named(), batch())
    page = report.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>one" not in page
    assert "&lt;b&gt;one" in page
    assert "unused (Linear): its weights are not used in this pass" in page
    assert "unused (Linear): 이번 계산에서 가중치가 쓰이지 않았다" in page
    assert WORDS["nothing"].ko in page


def test_the_lines_of_a_figure_are_what_was_measured(report: Report) -> None:
    chart = report.figures["gradient"]
    measured, weights, theory = chart.series
    assert measured.values == [x.values["activation_grad_norm"] for x in report.layers]
    assert weights.values == [x.values["weight_grad_norm"] for x in report.layers]
    factors = report.predictions["gradient_factor"]
    assert theory.is_theory
    assert theory.values[-1] == measured.values[-1]
    assert theory.values[0] == pytest.approx(measured.values[-1] * math.prod(factors))
    # on the logarithmic axis a line that falls by equal factors is straight
    picture = ElementTree.fromstring(chart._repr_svg_())
    marks = [each for each in picture.iter() if each.tag.endswith("circle")]
    heights = [float(each.attrib["cy"]) for each in marks][: len(report.layers)]
    assert heights == sorted(heights, reverse=True)
    logs = np.log10(measured.values)
    assert np.corrcoef(heights, logs)[0, 1] == pytest.approx(-1, abs=1e-5)


def test_a_figure_without_anything_to_draw_is_left_out(report: Report) -> None:
    assert set(report.figures) == {"signal", "gradient"}
    healthy = relu_exp.inspect(nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 5)), batch())
    assert set(healthy.figures) == {"signal", "gradient", "shares"}


def test_a_dead_gradient_is_not_drawn_and_the_page_says_so(tmp_path: Path) -> None:
    dead = nn.Sequential(*[each for _ in range(3) for each in (nn.Linear(20, 20), nn.ReLU())])
    nn.init.constant_(dead[2].bias, -100.0)
    x, _ = batch()
    report = relu_exp.inspect(dead, (x, torch.zeros(64, 20)))
    assert report.figures["gradient"].left_out
    page = report.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Values below 1e-30 are not drawn." in page
    assert len(svgs(page)) >= 3
    assert not any("nan" in found for found in re.findall(r"<svg.*?</svg>", page))


@pytest.mark.parametrize(
    "values",
    [
        torch.randn(1000, dtype=torch.float64),
        torch.relu(torch.randn(1000, dtype=torch.float64)),
        torch.full((50,), 3.0, dtype=torch.float64),
        torch.zeros(50),
        torch.randn(50) * 1e20,
        torch.tensor([0.0] * 999 + [1e6]),
    ],
)
def test_a_histogram_counts_every_value_once(values: Tensor) -> None:
    found = spread_of(values)
    assert found is not None
    assert found.low < found.high
    assert sum(found.shares) + found.outside == pytest.approx(1)
    inside = ((values >= found.low) & (values <= found.high)).double().mean()
    assert sum(found.shares) == pytest.approx(float(inside), abs=1e-3)
    assert svgs(histogram_svg(found))


def test_values_that_are_not_finite_have_no_histogram() -> None:
    assert spread_of(torch.tensor([1.0, math.nan])) is None


def test_a_bar_far_above_the_others_is_cut_and_has_its_share() -> None:
    shares = (0.6, *[0.01] * 40)
    assert ">60%<" in histogram_svg(Spread(0.0, 1.0, shares, 0.0))
    assert "%<" not in histogram_svg(Spread(0.0, 1.0, tuple([1 / 41] * 41), 0.0))


# The result folder ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.to_results(tmp_path_factory.mktemp("results") / "mine")


def test_a_result_folder_holds_what_was_measured(report: Report, folder: Path) -> None:
    opened = relu_exp.open(folder)
    (run,) = opened.runs.to_dict("records")
    assert run["status"] == "done"
    assert run["num_steps"] == 0
    assert run["num_parameters"] == sum(each.numel() for each in network().parameters())
    assert (run["activation"], run["network"], run["depth"]) == ("sigmoid", "Sequential", 6)
    kept = opened.layers.pivot(index="layer", columns="quantity", values="value")
    for number, layer in enumerate(report.layers, start=1):
        assert {k: v for k, v in layer.values.items() if not math.isnan(v)} == {
            k: v for k, v in kept.loc[number].to_dict().items() if not math.isnan(v)
        }
    predicted = opened.frames.predictions
    stds = predicted[predicted["quantity"] == "preactivation_std"].sort_values("layer")["value"]
    assert stds.tolist() == report.predictions["preactivation_std"]


def test_the_histograms_are_those_of_the_values(folder: Path) -> None:
    x, _ = batch()
    a = torch.sigmoid(network()[0](x)).detach().flatten().numpy()
    rows = relu_exp.open(folder).histogram(0, 1)
    edges = np.array([-np.inf, *histogram_edges("activation"), np.inf])
    # a value at an edge may fall on either side
    assert np.abs(rows["count"].to_numpy() - np.histogram(a, edges)[0]).max() <= 2
    assert rows["count"].sum() == a.size


def test_a_result_folder_passes_every_check_and_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_results(folder) == 0
    assert "all sound" in capsys.readouterr().out
    assert main(["report", str(folder)]) == 0, capsys.readouterr().err
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "relu_exp.inspect(model, batch).to_results(folder)" in text
    assert "relu-exp run" not in text
    assert main(["export", str(folder), "--to", "csv", "--out", str(folder / "csv")]) == 0
    assert not pd.read_csv(folder / "csv" / "layers.csv").empty


def test_the_same_network_is_the_same_run_and_another_one_is_added(
    report: Report, tmp_path: Path
) -> None:
    place = report.to_results(tmp_path / "both")
    relu_exp.inspect(network(), batch()).to_results(place)
    assert len(relu_exp.open(place).runs) == 1
    report.try_("he_normal").to_results(place)
    runs = relu_exp.open(place).runs
    assert len(runs) == 2
    assert runs["run_id"].nunique() == 2
    assert check_results(place) == 0


def test_results_of_an_experiment_are_not_touched(report: Report, tmp_path: Path) -> None:
    import synthetic

    root = synthetic.write(tmp_path / "tiny", synthetic.configs(depths=(2,), seeds=(0,)))
    before = sorted(path.name for path in root.rglob("*"))
    with pytest.raises(UsageError, match="choose another folder"):
        report.to_results(root)
    assert sorted(path.name for path in root.rglob("*")) == before


def here_with_a_network(folder: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a module that builds a network, and a batch for it, and go there."""
    (folder / f"{module}.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 5))\n"
    )
    torch.save(batch(), folder / "batch.pt")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))


def test_the_command_writes_page_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here_with_a_network(tmp_path, "my_page", monkeypatch)
    words = ["inspect", "my_page:build", "--data", "batch.pt"]
    words += ["--page", "out.html", "--results", "mine"]
    monkeypatch.setattr("sys.argv", ["relu-exp", *words])
    assert main(words) == 0, capsys.readouterr().err
    assert "page: out.html" in capsys.readouterr().out
    assert (tmp_path / "out.html").stat().st_size > 100_000
    opened = relu_exp.open("mine")
    assert opened.frames.manifest["command"] == f"relu-exp {' '.join(words)}"


def test_the_command_prints_in_the_language_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here_with_a_network(tmp_path, "my_words", monkeypatch)
    words = ["inspect", "my_words:build", "--data", "batch.pt", "--page", "out.html"]
    assert main([*words, "--language", "ko"]) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    for korean in (
        "층 1개, 학습 모드",
        "발견한 것이 없다",
        "z 표준편차",
        "이론의",
        "페이지: out.html",
    ):
        assert korean in shown
    heading, row = (line for line in shown.splitlines() if "  " in line)
    assert num_cells(heading) == num_cells(row) > len(heading)
    assert '<html lang="ko">' in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert main(words) == 0
    assert not re.search("[가-힣]", capsys.readouterr().out)
    assert main([*words, "--language", "kr"]) == 2
    assert "--language kr is not valid (did you mean ko?)" in capsys.readouterr().err


def test_korean_sentences_have_no_doubled_particles() -> None:
    for name in ("findings", "words_page", "words_table"):
        for key, text in texts_of("relu_exp.inspection", f"{name}.yaml").items():
            assert not re.search(r"\((으|을|이|은|는|가|를)\)", text.ko), key
            assert "표본" not in text.ko, key


def test_a_loss_that_is_not_finite_is_no_layer() -> None:
    with language("ko"):
        assert Finding("not_finite", 0.0, ("the loss",)).text.startswith("손실에서 ")
        assert Finding("not_finite", 0.0, ("0",)).text.startswith("층 '0'에서 ")
    assert " in the loss:" in Finding("not_finite", 0.0, ("the loss",)).text

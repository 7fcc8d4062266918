"""Reports: complete, offline, escaped, the same bytes again, and never half written."""

import errno
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relu_exp.core.schema import Choice, UsageError
from relu_exp.evidence.figures import FIGURES as KINDS
from relu_exp.evidence.figures import FigureKind, draw
from relu_exp.evidence.report import report
from relu_exp.evidence.report.pages import escape_markdown
from relu_exp.evidence.report.report import build, build_index
from relu_exp.results.store import Store
from relu_exp.session import reporting

import synthetic

FIGURES = ["accuracy_map", "function_curves", "dead_fraction"]
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
RUNS = synthetic.configs(("sigmoid", "relu"), (HE,), (2, 5), (0.1, 1.0), (0, 1))
SMALL = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0,))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("results") / "default"
    synthetic.write(
        root,
        RUNS,
        failed=[RUNS[0].run_id],
        figures=[*FIGURES, "steps_to_threshold", "accuracy_mpa"],
        title="A <title> & more",
        thresholds={},
    )
    return build(root)


def test_everything_that_is_named_was_written(built):
    assert all(path.stat().st_size > 0 for path in built.paths)
    assert {path.suffix for path in built.figures} == {".png", ".svg"}
    folder = built.html.parent
    assert sorted(built.figures) == sorted((folder / "figures").iterdir())
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_the_page_opens_offline_in_light_and_dark_and_on_a_phone(built):
    page = built.html.read_text()
    outside = re.findall(r"""(?:src|href)="(?!data:|#|figures/)([^"]*)""", page)
    assert outside == []
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert page.count("<img") == page.count('<img alt="') == len(built.figures) // 2


def test_text_from_outside_is_escaped(built):
    page, text = built.html.read_text(), built.markdown.read_text()
    assert "A &lt;title&gt; &amp; more" in page
    assert "<no>" not in page
    assert "<no>" not in text
    assert escape_markdown("a|b\n*c* <d>") == r"a\|b \*c\* &lt;d&gt;"


def test_how_the_runs_ended_is_said_in_words(built):
    for text in (built.html.read_text(), built.markdown.read_text()):
        assert "16 runs were asked for." in text
        assert "diverged." in text
        assert "1 failed with an error and are in no figure." in text
        assert "0123456789ab" in text
        assert "relu-exp run default" in text
        assert "redraw" in text or "draw it again" in text


def test_a_figure_that_was_not_drawn_is_a_warning_with_its_reason(built):
    told = "\n".join(built.warnings)
    assert "no steps_to_threshold: the experiment states no thresholds" in told
    assert "did you mean accuracy_map" in told
    assert "ValueError: &lt;no&gt; numbers" in built.html.read_text()


def test_the_summary_has_a_row_per_activation_and_depth(built):
    assert [(row["activation"], row["depth"]) for row in built.summary] == [
        ("sigmoid", "2"),
        ("sigmoid", "5"),
        ("ReLU", "2"),
        ("ReLU", "5"),
    ]
    first = built.summary[0]
    assert (first["n"], first["diverged"]) == ("2", "0")
    assert first["initializer"] == "He"
    assert first["validation"].endswith("%")


def test_the_same_data_give_the_same_bytes(built):
    before = {path: path.read_bytes() for path in built.paths}
    again = build(built.html.parent)
    assert {path: path.read_bytes() for path in again.paths} == before


def test_figures_that_are_no_longer_drawn_go(tmp_path):
    synthetic.write(tmp_path, SMALL, figures=["function_curves", "loss_curves"])
    build(tmp_path)
    synthetic.write_manifest(Store(tmp_path), [SMALL[0].run_id], figures=["function_curves"])
    build(tmp_path)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "function_curves.png",
        "function_curves.svg",
    ]


def test_an_interrupted_report_leaves_the_old_one_whole(tmp_path, monkeypatch):
    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    built = build(tmp_path)
    before = {path: path.read_bytes() for path in built.paths}

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "render", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path)
    assert {path: path.read_bytes() for path in built.paths} == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path):
    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UsageError, match="the report cannot be written to"):
        build(tmp_path)


def test_what_a_killed_report_left_behind_goes_with_the_next_one(tmp_path):
    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    left, mine = tmp_path / ".report-0123abcd", tmp_path / ".report-notes"
    for path in (left, mine):
        (path / "figures").mkdir(parents=True)
        os.utime(path, (0, 0))
    build(tmp_path)
    assert mine.is_dir()
    assert not left.exists()


def test_a_report_that_takes_long_is_not_taken_for_one_that_was_killed(tmp_path, monkeypatch):
    synthetic.write(tmp_path, SMALL, figures=["function_curves", "loss_curves"])
    left = []

    def slow(*arguments):
        left.extend(tmp_path.glob(".report-*"))
        os.utime(left[-1], (0, 0))
        return save(*arguments)

    def ends(*arguments):
        # whoever trains next clears what is old
        Store(tmp_path).open()
        return render(*arguments)

    save, render = report.save_png, report.render
    monkeypatch.setattr(report, "save_png", slow)
    monkeypatch.setattr(report, "render", ends)
    assert all(path.is_file() for path in build(tmp_path).paths)
    assert len(left) == 2


def finished(results, word):
    """Return a report that is finished and not yet in its place; every file of it is `word`."""
    workshop = Store(results).begin_report()
    (workshop / "figures").mkdir()
    for name in ("report.html", "report.md", f"figures/{word}.svg"):
        (workshop / name).write_text(word)
    return workshop


def words_of(results):
    files = [results / "report.html", results / "report.md", *(results / "figures").iterdir()]
    return {path.stem if path.suffix == ".svg" else path.read_text() for path in files}


def test_of_reports_that_are_made_at_once_one_stays_whole(tmp_path):
    def put(word):
        for _ in range(30):
            workshop = finished(tmp_path, word)
            report._move(workshop, tmp_path)
            shutil.rmtree(workshop)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(put, "abc"))
    assert len(words_of(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "figures", "report.html", "report.md",
    ]  # fmt: skip


@pytest.mark.parametrize("other", ["came", "went"])
def test_a_report_whose_place_changes_under_its_hands_gets_there(tmp_path, monkeypatch, other):
    report._move(finished(tmp_path, "first"), tmp_path)
    # where folders cannot change places there is a moment between two renames
    monkeypatch.setattr("relu_exp.results.atomic._exchange", lambda *_: False)
    rename, target, theirs = Path.rename, tmp_path / "figures", finished(tmp_path, "theirs")
    steps = [other]

    def interleaved(path, to):
        if path == target and steps == ["went"]:
            steps.clear()
            rename(path, theirs / "first")
        moved = rename(path, to)
        if path == target and steps == ["came"]:
            steps.clear()
            rename(theirs / "figures", target)
        return moved

    monkeypatch.setattr(Path, "rename", interleaved)
    report._move(finished(tmp_path, "ours"), tmp_path)
    assert not steps
    assert words_of(tmp_path) == {"ours"}


@pytest.fixture
def kinds(monkeypatch):
    """Return the catalog of figures, to which a test may add."""
    monkeypatch.setattr(KINDS, "_entries", dict(KINDS._entries))
    return KINDS


@pytest.mark.parametrize(
    "error", [ValueError("no such\ncolumn <b>"), FileNotFoundError(errno.ENOENT, "no such file")]
)
def test_a_figure_that_fails_is_told_of_and_takes_no_other_down(tmp_path, kinds, error):
    def half(frames):
        yield from draw("loss_curves", frames)
        raise error

    kinds.add(FigureKind("of_a_plugin", "Half a figure", (), half))
    synthetic.write(tmp_path, SMALL, figures=["of_a_plugin", "function_curves"])
    built = build(tmp_path)
    assert {path.stem for path in built.figures} == {"loss_curves", "function_curves"}
    assert all(path.is_file() for path in built.figures)
    said = " ".join(str(error).split())
    told = f"no of_a_plugin: drawing it failed with {type(error).__name__}: {said}"
    assert told in built.warnings
    assert "drawing it failed with" in built.markdown.read_text()


def test_a_figure_that_cannot_be_saved_is_no_fault_of_the_figure(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    monkeypatch.setattr(report, "save_png", full)
    with pytest.raises(UsageError, match=r"cannot be written to .*No space left"):
        build(tmp_path)
    assert not list(tmp_path.glob(".report-*"))


@pytest.mark.parametrize("num_done", [0, 1])
def test_runs_that_were_interrupted_end_no_report(tmp_path, num_done):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 1.0), (0,))
    synthetic.write(tmp_path, runs)
    tables = synthetic.empty_tables()
    for run in runs[:num_done]:
        synthetic.add_run(tables, run, failed=False)
    for run in runs[num_done:]:
        synthetic.add_rows(
            tables["runs"], **run.as_row(), status="interrupted", session=synthetic.SESSION
        )
    Store(tmp_path).write_part("fleet000000", tables)
    built = build(tmp_path)
    assert bool(built.figures) == bool(num_done)
    assert "drawing it failed" not in "".join(built.warnings)


def test_one_seed_is_told_in_words_with_the_command_for_more(tmp_path):
    command = "relu-exp run default 'seed=range(1)'"
    synthetic.write(tmp_path, SMALL, figures=["loss_curves"], command=command)
    (warning,) = build(tmp_path).warnings
    assert warning.startswith("Only one seed was run")
    assert "For intervals: relu-exp run default 'seed=range(5)'" in warning


def test_what_is_exact_needs_no_seeds(tmp_path):
    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    assert build(tmp_path).warnings == ()


def test_missing_runs_and_uncommitted_changes_are_told(tmp_path):
    synthetic.write(tmp_path, SMALL, figures=["function_curves"])
    asked = [SMALL[0].run_id, "0" * 16]
    synthetic.write_manifest(Store(tmp_path), asked, figures=["function_curves"], dirty=True)
    told = " ".join(build(tmp_path).warnings)
    assert "1 of the runs asked for are missing" in told
    assert "uncommitted changes" in told
    assert "1 have not been run yet" in (tmp_path / "report.md").read_text()


def test_an_experiment_that_trains_nothing_counts_its_runs(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), num_steps=0, probe_steps=(0,))
    synthetic.write(tmp_path, runs, figures=["histogram_grid"])
    built = build(tmp_path)
    assert built.summary == (
        {"activation": "ReLU", "runs": "2", "done": "2", "diverged": "0", "failed": "0"},
    )
    page = built.html.read_text()
    assert "Best results" not in page
    assert "<figure" in page
    assert "histogram_grid" not in page  # a name of code


def test_results_without_a_manifest_are_reported_all_the_same(tmp_path):
    synthetic.write(tmp_path, SMALL)
    for manifest in (tmp_path / "manifests").iterdir():
        manifest.unlink()
    assert build(tmp_path).figures


def test_the_index_links_every_report(tmp_path):
    for name in ("default", "other"):
        synthetic.write(tmp_path / name, SMALL, figures=["function_curves"], title=f"About {name}")
    assert build_index(tmp_path) == tmp_path / "README.md"
    text = (tmp_path / "README.md").read_text()
    for name in ("default", "other"):
        assert f"[About {name}]({name}/report.md)" in text


def test_an_index_of_nothing_is_one_clear_line(tmp_path):
    with pytest.raises(UsageError, match="holds no results"):
        build_index(tmp_path)


def test_what_failed_is_named_without_what_controls_a_terminal(tmp_path):
    runs = synthetic.configs()
    root = synthetic.write(tmp_path / "default", runs, failed=[runs[0].run_id])
    store = Store(root)
    part = store.parts / store.part_ids()[0] / "runs.parquet"
    table = pq.read_table(part)
    rows = [
        row | {"error": row["error"] and "Traceback\n\x1b]0;title\x07"} for row in table.to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), part)
    (warning,) = [line for line in build(root).warnings if "title" in line]
    assert "\x1b" not in warning
    assert "\x1b" not in store.ends()[runs[0].run_id].reason


@pytest.mark.skipif(os.name == "nt", reason="no such names there")
def test_a_folder_whose_name_controls_a_terminal_has_figures_without_a_warning(tmp_path, capsys):
    root = synthetic.write(tmp_path / "\x1b[31mred 🎲", SMALL, figures=["function_curves"])
    reporting.report(root)
    assert "\x1b" not in "".join(capsys.readouterr())
    drawn = next((root / "figures").glob("function_curves*.svg")).read_text()
    assert "\x1b" not in drawn
    ElementTree.fromstring(drawn)


def test_a_study_that_names_the_part_of_a_fleet_shows_no_rows_of_runs(tmp_path):
    root = synthetic.write(tmp_path / "default", studies={"formulas": "fleet000000"})
    page = build(root).markdown.read_text()
    assert "## Histograms" not in page


def test_more_seeds_go_on_from_the_first_that_was_run(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (1000,))
    synthetic.write(tmp_path, runs, figures=["loss_curves"], command="relu-exp run default")
    (warning,) = build(tmp_path).warnings
    assert "'seed=range(1000,1005)'" in warning

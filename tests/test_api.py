"""The Python API: lazy, tidy, and safe in a script without a main guard."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import relu_exp
from relu_exp.core.schema import UsageError

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def python(code: str, folder: Path) -> str:
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_and_the_help_load_neither_pandas_nor_torch(tmp_path: Path) -> None:
    code = (
        "import sys, relu_exp\n"
        "from relu_exp.cli import main\n"
        "assert 'run' in dir(relu_exp)\n"
        "main(['--help'])\n"
        "assert not {'pandas', 'torch', 'matplotlib', 'hydra'} & {*sys.modules}\n"
    )
    assert "contrast" in python(code, tmp_path)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        _ = relu_exp.rum


def test_the_cells_of_the_notebook_run_in_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Its cells define an activation, which worker processes would not have."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert len(cells) == 10
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    ends = (
        "\nassert {'relu', 'bent'} == {*results.runs['activation']}\n"
        "assert results.histogram(0, 1)['count'].sum() > 0\n"
        "assert (table['verdict'] != 'reference').sum() == 1\n"
        "assert '<table' in results._repr_html_()\n"
        "assert pictures[0]._repr_png_()[:4] == b'\\x89PNG'\n"
        "assert pictures._repr_html_().count('data:image/png;base64,') == len(pictures) > 0\n"
        "try:\n    results.histogram(99, 1)\n"
        "except Exception as error:\n    assert 'measured were' in str(error)\n"
        "else:\n    raise AssertionError\n"
        "print('reached the end')\n"
    )
    assert "reached the end" in python("\n\n".join([*code, ends]), tmp_path)


def test_strings_are_paths_and_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        relu_exp.open(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="is no override"):
        relu_exp.run("default", "quick", results=str(tmp_path))

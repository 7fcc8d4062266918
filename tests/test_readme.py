"""The README: every command in it works, and every make target and file it names is there."""

import csv
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from relu_exp import cli

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
LINES = [
    line.removeprefix("$ ").strip()
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
COMMANDS = [line for line in LINES if line.startswith("relu-exp ")]
TARGETS = sorted(
    set(re.findall(r"\bmake ([a-z]+)\b", "\n".join([*LINES, *re.findall(r"`(.*?)`", TEXT)])))
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_works(line, tmp_path, monkeypatch, capsys):
    """Sweeps are planned and not trained; a file that a command names is the README's own."""
    monkeypatch.chdir(tmp_path)
    _, command, *words = shlex.split(line, comments=True)
    for name in [word for word in words if word.endswith((".yaml", ".yml"))]:
        (tmp_path / name).write_text(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    if command == "check":
        (tmp_path / words[0]).write_text(TEXT)
    if command in ("report", "export", "verify", "compare", "inspect", "contrast"):
        words = [*words, "--help"]
    elif command in ("run", "reproduce"):
        words = [*words, "--plan"]
    assert cli.main([command, *words]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_of_the_readme_is_there(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "link", sorted(set(re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", TEXT)))
)
def test_a_file_that_the_readme_links_is_there(link):
    assert (ROOT / link).exists()


def result(name: str) -> str:
    """Return a file of the results that the README speaks of.

    They are the committed ones for as long as the README is: `make reproduce BUDGET=standard` and
    `make bench` write over those on the disk, from other code or on another machine.
    """

    def git(*words: str) -> str | None:
        found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return None if found.returncode else found.stdout

    committed = None
    # not in a copy of the files that lies in somebody else's repository
    if git("diff", "--quiet", "HEAD", "--", "README.md") is not None and (ROOT / ".git").exists():
        committed = git("show", f"HEAD:results/{name}")
    return (ROOT / "results" / name).read_text() if committed is None else committed


VERDICTS = {
    row["claim"]: row["verdict"] for row in csv.DictReader(result("verdicts.csv").splitlines())
}


def test_the_readme_counts_the_verdicts_that_are_committed():
    counts = Counter(VERDICTS.values())
    order = ("supported", "refuted", "conditional", "inconclusive", "not decided")
    sentence = ", ".join(f"{counts[name]} {name}" for name in order if counts[name])
    assert f"Of {len(VERDICTS)} claims" in TEXT
    assert f"**{sentence}**" in TEXT


def test_every_verdict_in_the_readme_is_the_committed_one():
    rows = re.findall(r"\(results/claims\.md#([^)]+)\) \| . ([a-z ]+) \|", TEXT)
    assert {claim for claim, _ in rows} == set(VERDICTS)
    assert [row for row in rows if VERDICTS[row[0]] != row[1]] == []


def test_what_the_readme_says_was_measured_stands_in_the_claims_own_section():
    sections = dict(
        re.findall(
            r'<a id="([^"]+)"></a>(.*?)(?=<a id=|\Z)',
            result("claims.md"),
            re.S,
        )
    )
    table = re.findall(r"claims\.md#([^)]+)\) \| . [a-z]+ \| (\D.*?) \|\n", TEXT)
    said = [(claim, number) for claim, text in table for number in re.findall(r"\d[\d,.]*\d", text)]
    assert len(said) > 20
    assert [pair for pair in said if pair[1] not in sections[pair[0]]] == []


def test_the_speed_in_the_readme_is_the_measured_one():
    table = result("benchmarks/cpu.md")
    works = re.split(r"^\*\*W\d\*\*", table, flags=re.MULTILINE)[1:]
    plain, jax = (
        [re.findall(rf"^\| {way}.*?\| [^|]* \| ([\d.]+)", work, re.MULTILINE) for work in works]
        for way in ("plain", "JAX")
    )
    (line,) = re.findall(r"\*\*Fleets are faster.*?make bench", TEXT, re.DOTALL)
    said = re.findall(r"([\d.]+)\s+times", line)
    assert said == [*plain[0], *jax[0], *plain[1], *plain[2]]

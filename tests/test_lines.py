"""Errors in one line, wherever their text comes from."""

import pytest

from relu_exp.core.lines import first_line, last_line, one_line


def test_a_long_text_of_many_lines_is_one_line_and_cut():
    assert one_line(ValueError("no\n  such\tfile")) == "no such file"
    assert len(one_line("a " * 1000)) == 200


def test_the_last_line_of_a_traceback_names_the_error():
    traceback = "Traceback (most recent call last):\n  File x\nValueError: no\n \n"
    assert last_line(traceback) == "ValueError: no"
    assert first_line(traceback) == "Traceback (most recent call last):"


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_text_without_words_has_what_stands_for_it(text):
    assert (
        first_line(text, otherwise="OSError") == last_line(text, otherwise="OSError") == "OSError"
    )

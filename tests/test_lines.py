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


def test_no_line_of_an_error_controls_the_terminal():
    hostile = "\x1b[31mred\n\x1b]0;title\x07\u202e"
    for shown in (one_line(hostile), first_line(hostile), last_line(hostile)):
        assert not {*"\x1b\x07\u202e"} & {*shown}
    assert (
        last_line(hostile) == "\N{REPLACEMENT CHARACTER}]0;title" + "\N{REPLACEMENT CHARACTER}" * 2
    )

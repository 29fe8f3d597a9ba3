"""Tables in the terminal are aligned and keep every digit."""

from nanoconf.tables import aligned


def test_the_first_columns_are_flush_left_and_the_others_flush_right():
    rows = [["ion", "z", "error"], ["positive", "3", "0.10"], ["negative", "-1", "12.5"]]
    assert aligned(rows).splitlines() == [
        "ion        z  error",
        "positive   3   0.10",
        "negative  -1   12.5",
    ]
    assert aligned(rows, left=2).splitlines()[1] == "positive  3    0.10"


def test_lines_have_no_trailing_blanks():
    assert aligned([["name", "reason"], ["a", ""]], left=2).splitlines() == ["name  reason", "a"]


def test_digits_are_printed_as_given():
    assert aligned([["1.50e-03", "0.10", "1,000", "nan"]]) == "1.50e-03  0.10  1,000  nan"

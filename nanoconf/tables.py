"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Format rows as text with aligned columns.

    Parameters
    ----------
    rows : sequence of sequence of str
        Cells; the first rows may be a header.
    left : int
        Number of leading columns that are flush left; the others are flush right.
    """
    from tabulate import tabulate

    text = tabulate(
        rows,
        tablefmt="plain",
        disable_numparse=True,  # 0.10 stays 0.10
        colalign=["left" if column < left else "right" for column in range(len(rows[0]))],
    )
    return "\n".join(line.rstrip() for line in text.splitlines())

"""Self-contained HTML documents: no scripts and no external resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Content security policy: the browser itself refuses scripts and requests to other hosts."""

STYLE = """
:root { color-scheme: light; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #23262d; background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { margin: 0 0 0.3rem; font-size: 1.6rem; }
h2 { margin: 2.2rem 0 0.4rem; padding-top: 0.6rem; border-top: 1px solid #b9bfc9;
  font-size: 1.25rem; break-after: avoid; }
h3 { margin: 1.1rem 0 0.2rem; font-size: 1rem; break-after: avoid; }
p, ul, ol { margin: 0.2rem 0 0.5rem; }
table { border-collapse: collapse; margin: 0.3rem 0 0.8rem; }
th, td { padding: 0.25rem 1rem 0.25rem 0; text-align: left; vertical-align: top;
  border-top: 1px solid #dfe2e8; }
tbody > tr > :is(td:first-child, th + td) { overflow-wrap: anywhere; }
th { font-weight: 600; }
.written { padding: 0.4rem 0.7rem; white-space: pre-wrap; overflow-wrap: anywhere;
  background: #f4f5f7; border-left: 3px solid #0072b2; }
.space { height: 2rem; border-bottom: 1px solid #8a919d; }
.options { padding: 0; list-style: none; }
.options li::before { content: "☐ "; }
.answer { padding: 0.4rem 0.8rem; border: 1px solid #0072b2; border-radius: 6px; }
.quiet { color: #5d6470; }
figure { margin: 0.6rem 0 1.2rem; break-inside: avoid; }
figure img { width: 100%; border: 1px solid #dfe2e8; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } .page { break-before: page; } }
"""


def document(title: str, body: str) -> str:
    """Return a complete HTML document.

    Parameters
    ----------
    title : str
        Title, as plain text.
    body : str
        Contents, as HTML.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def heading(level: int, text: str) -> str:
    """Return a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraphs(text: str) -> str:
    """Return the paragraphs of a text, which are separated by blank lines."""
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n"))


def bullets(items: Iterable[str], kind: str = "") -> str:
    """Return a list; `kind` is its class."""
    rows = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<ul class="{kind}">{rows}</ul>' if kind else f"<ul>{rows}</ul>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; without a head, the first cell of each row is its header."""
    if head:
        first = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
        body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
        return f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>"
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{_cells(row[1:])}</tr>' for row in rows
    )
    return f"<table><tbody>{body}</tbody></table>"


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)

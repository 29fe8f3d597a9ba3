"""Parquet files with a digest of their rows, read and written by DuckDB.

DuckDB does not verify the checksums of pages. The digest detects damage to files that have no other
checksum yet.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.files import FULL
from backend.untrusted import one_line

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]

ARRAY = "FLOAT[]"
"""SQL type of columns whose cells are arrays."""

DIGEST = "rows_sha256"
"""Key of the digest in the metadata of a file."""

OPTIONS: dict[str, Any] = {
    "autoinstall_known_extensions": False,  # no network
    "autoload_known_extensions": False,
    "temp_directory": "",  # no files of its own
    "memory_limit": "2GB",
    "threads": 1,
}

READ = "FROM read_parquet($path, hive_partitioning = false)"

READ_DIGEST = f"""
SELECT decode(value) FROM parquet_kv_metadata($path) WHERE decode(key) = '{DIGEST}'"""

WRITE = f"""
COPY rows TO $path (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false,
KV_METADATA {{{DIGEST}: $digest}})"""


def read(path: Path, types: Mapping[str, str], required: Iterable[str]) -> list[Row]:
    """Read the rows of a file; a cell of type `ARRAY` becomes an ndarray of float32.

    Parameters
    ----------
    path : Path
        Parquet file.
    types : mapping
        SQL types to which columns are converted. Columns may be missing, and other columns may be
        present.
    required : iterable of str
        Names of the columns that must be present.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged or lacks a required column; the message is one line.
    """
    place = {"path": glob.escape(_literal(path))}
    with _database() as database:
        names = [name for name, *_ in database.execute(f"DESCRIBE {READ}", place).fetchall()]
        missing = [name for name in required if name not in names]
        if missing:
            raise ValueError(f"it lacks the columns {', '.join(missing)}")
        typed = [f'"{name}"::{types[name]} AS "{name}"' for name in names if name in types]
        query = f"SELECT * REPLACE ({', '.join(typed)}) {READ}"
        rows = _rows(database.execute(query, place), types)
        digests = database.execute(READ_DIGEST, place).fetchall()
    if digests and digests != [(_digest(rows),)]:
        raise ValueError("the digest of its rows differs from that in its metadata")
    return rows


def write(path: Path, types: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to a file; a missing value becomes null.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the type of a value differs from that of its column.
    """
    fields = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
    with _database() as database:
        database.execute(f"CREATE TABLE rows ({fields})")
        with database.appender("rows") as appender:
            appender.append_rows([row.get(name) for name in types] for row in rows)
        digest = _digest(_rows(database.execute("FROM rows"), types))
        database.execute(WRITE, {"path": _literal(path), "digest": digest})


def _literal(path: Path) -> str:
    """Return a path as UTF-8 text, whatever the locale; DuckDB expands a leading ~."""
    return os.fsencode(path.absolute()).decode("utf-8")


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to an in-memory database; its errors become one-line `OSError` or `ValueError`."""
    import duckdb

    try:
        with duckdb.connect(config=OPTIONS) as database:
            database.execute("SET enable_progress_bar = false")  # it would go to standard output
            yield database
    except (duckdb.Error, RuntimeError) as error:  # RuntimeError: text that is not UTF-8
        line = one_line(str(error).partition("\n")[0])
        if line == "Query interrupted":
            raise KeyboardInterrupt from error
        for code in FULL:
            if os.strerror(code) in line:
                raise OSError(code, os.strerror(code)) from error
        raise (OSError if isinstance(error, duckdb.IOException) else ValueError)(line) from error


def _rows(result: duckdb.DuckDBPyConnection, types: Mapping[str, str]) -> list[Row]:
    """Return the result of a query."""
    names = [name for name, *_ in result.description or ()]
    arrays = [name for name in names if types.get(name) == ARRAY]
    rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    for row in rows:
        for name in arrays:
            if row[name] is not None:
                row[name] = np.array(row[name], dtype=np.float32)
    return rows


def _digest(rows: Iterable[Row]) -> str:
    """Return the SHA-256 digest of the names and values in rows from `_rows`."""
    digest = hashlib.sha256()
    for row in rows:
        for name, value in row.items():
            content = value.tobytes() if isinstance(value, np.ndarray) else ascii(value).encode()
            digest.update(name.encode() + content)
    return digest.hexdigest()

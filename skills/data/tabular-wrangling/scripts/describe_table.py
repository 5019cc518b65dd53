#!/usr/bin/env python3
"""Describe the columns of a CSV or TSV file in one pass.

Usage: describe_table.py FILE [--delimiter C] [--encoding NAME]
Per column: kind of its values, how many are empty, how many are distinct (counted up to
10,000), smallest, largest and frequent ones. Rows of the wrong width are named by line.
"""

import argparse
import csv
import re
import sys
from collections import Counter
from pathlib import Path

MOST_DISTINCT = 10_000
KINDS = (
    ("integer", re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")),
    ("code with leading zero", re.compile(r"0\d+")),
    ("number", re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")),
    ("number with comma", re.compile(r"[+-]?\d+(?:\.\d{3})*,\d+|[+-]?\d+(?:,\d{3})+\.\d+")),
    ("date", re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")),
    ("date, order unclear", re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?: .*)?")),
    ("truth value", re.compile(r"(?i)true|false|yes|no|t|f|y|n")),
)  # fmt: skip


class Column:
    """What was seen of one column so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.empty = 0
        self.padded = 0
        self.kinds: Counter[str] = Counter()
        self.values: Counter[str] = Counter()
        self.low = self.high = None

    def add(self, value: str) -> None:
        bare = value.strip()
        self.padded += bare != value
        if not bare:
            self.empty += 1
            return
        kind = next((name for name, shape in KINDS if shape.fullmatch(bare)), "text")
        self.kinds[kind] += 1
        if bare in self.values or len(self.values) < MOST_DISTINCT:
            self.values[bare] += 1
        key = (0, float(bare), bare) if kind in {"integer", "number"} else (1, 0.0, bare)
        self.low = key if self.low is None else min(self.low, key)
        self.high = key if self.high is None else max(self.high, key)

    def describe(self) -> str:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.kinds.most_common(3))
        more = "+" if len(self.values) >= MOST_DISTINCT else ""
        line = f"{self.name!r}: {kinds or 'nothing'}; empty {self.empty:,}"
        line += f"; distinct {len(self.values):,}{more}"
        if self.padded:
            line += f"; blanks around {self.padded:,}"
        if self.low and self.high:
            line += f"\n    from {self.low[2][:40]!r} to {self.high[2][:40]!r}"
            common = ", ".join(f"{v[:30]!r} x{n:,}" for v, n in self.values.most_common(4))
            line += f"; often {common}"
        return line


def encoding_of(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        file.seek(0)
        try:
            for line in file:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def delimiter_of(sample: str) -> str:
    """The candidate that splits the first lines most evenly."""
    lines = sample.splitlines()[:50]
    return max(",\t;|", key=lambda mark: (min((row.count(mark) for row in lines[:-1] or lines),
                                              default=0), sample.count(mark)))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--delimiter")
    parser.add_argument("--encoding")
    options = parser.parse_args()
    encoding = options.encoding or encoding_of(options.file)
    csv.field_size_limit(sys.maxsize)
    with options.file.open(newline="", encoding=encoding, errors="replace") as file:
        delimiter = options.delimiter or delimiter_of(file.read(65_536))
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter)
        columns = [Column(name) for name in next(reader, [])]
        rows, wrong = 0, []
        for row in reader:
            if not row:
                continue
            rows += 1
            if len(row) != len(columns):
                wrong.append((reader.line_num, len(row)))
            for column, value in zip(columns, row):  # noqa: B905  rows may be short or long
                column.add(value)
    print(f"{rows:,} rows, {len(columns)} columns, encoding {encoding}, delimiter {delimiter!r}")
    if wrong:
        some = ", ".join(f"line {line} has {width}" for line, width in wrong[:5])
        print(f"{len(wrong):,} rows of the wrong width: {some}")
    names = Counter(column.name for column in columns)
    for name, count in names.items():
        if count > 1 or not name.strip():
            print(f"column name {name!r} occurs {count} times")
    for column in columns:
        print(column.describe())


if __name__ == "__main__":
    main()

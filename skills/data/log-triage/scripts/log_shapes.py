#!/usr/bin/env python3
"""Count the lines of a log by shape: the line with its numbers, ids and quoted texts taken out.

Usage: log_shapes.py [--top N] [--match REGEX] [--new-since TIME] FILE... (`-` is standard input)
Per shape: count, first and last time stamp, one real line. TIME is compared as text with the
line's own stamp, so write it the same way; `--new-since` keeps shapes not seen before it.
"""

import argparse
import gzip
import re
import sys
from pathlib import Path

STAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d|"
    r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
)
PARTS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|"
                r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?|"
                r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"), "<time>"),
    (re.compile(r"\"[^\"]{0,2000}\"|'[^']{0,2000}'"), "<text>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b(?:0x[0-9a-fA-F]+|(?=[a-f]*\d)[0-9a-f]{8,})\b"), "<hex>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"(?<![\w<])/[\w./%~-]*\d[\w./%~-]*"), "<path>"),
    (re.compile(r"[+-]?\d+(?:[.,]\d+)*"), "<n>"),
)  # fmt: skip
MOST_SHAPES = 200_000


def lines(names):
    for name in names:
        if name == "-":
            yield from sys.stdin
            continue
        opened = gzip.open if name.endswith(".gz") else open
        with opened(Path(name), "rt", encoding="utf-8", errors="replace") as file:
            yield from file


def shape(line: str) -> str:
    for pattern, name in PARTS:
        line = pattern.sub(name, line)
    return line[:300]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--match", type=lambda text: re.compile(text, re.IGNORECASE))
    parser.add_argument("--new-since", metavar="TIME")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    found, total, stamp = {}, 0, ""
    for line in map(str.rstrip, lines(options.files)):
        if seen := STAMP.search(line[:200]):
            stamp = seen[0]
        if not line or (options.match and not options.match.search(line)):
            continue
        total += 1
        key = shape(line)
        if key in found:
            entry = found[key]
            entry[0] += 1
            entry[2] = stamp
        elif len(found) < MOST_SHAPES:
            found[key] = [1, stamp, stamp, line]
    since = (options.new_since or "").replace(" ", "T")
    kept = [entry for entry in found.values() if entry[1].replace(" ", "T") >= since]
    kept.sort(key=lambda entry: -entry[0])
    print(f"{total:,} lines, {len(found):,} shapes, {len(kept):,} listed at most {options.top}")
    for count, first, last, example in kept[: options.top]:
        print(f"{count:>9,}  {first or '?'} .. {last or '?'}\n           {example[:200]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

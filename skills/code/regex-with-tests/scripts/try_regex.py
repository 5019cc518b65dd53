#!/usr/bin/env python3
"""Try a Python regular expression on a table of cases, and look for runaway backtracking.

Usage: try_regex.py PATTERN CASES
A case is one line: `+ text` must match, `- text` must not, `+ text => part` also says what
group 1 (the whole match without groups) has to be. Python escapes work. Exit code 1 on a miss.
"""

import codecs
import re
import subprocess
import sys
from pathlib import Path

SECONDS = 5.0
MOST_PROBES = 80
PROBE = """
import re, sys, time
pattern, head, unit, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
compiled, text = re.compile(pattern), head + unit * count + chr(1)
begun = time.perf_counter()
compiled.search(text)
print(time.perf_counter() - begun)
"""


def unescape(text: str) -> str:
    return re.sub(r"\\(?:[nrt0\\]|x[\da-fA-F]{2}|u[\da-fA-F]{4})",
                  lambda match: codecs.decode(match[0], "unicode_escape"), text)  # fmt: skip


def check(pattern: "re.Pattern[str]", line: str) -> "str | None":
    """What is wrong with this case; None if nothing is."""
    sign, _, rest = line.partition(" ")
    text, arrow, wanted = rest.partition(" => ")
    match = pattern.search(unescape(text))
    if sign == "-":
        return None if match is None else f"must not match, but {match[0]!r} did"
    if match is None:
        return "must match and does not"
    got = match[1] if pattern.groups else match[0]
    return f"gives {got!r}" if arrow and got != unescape(wanted) else None


def seconds(pattern: str, head: str, unit: str, count: int) -> float:
    try:
        done = subprocess.run([sys.executable, "-c", PROBE, pattern, head, unit, str(count)],
                              capture_output=True, text=True, timeout=SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired:
        return SECONDS
    return float(done.stdout or 0)


def growth(pattern: str, texts: "list[str]") -> "tuple[bool, str]":
    """Whether time explodes when a character of a case is repeated and something odd follows."""
    probes = {("", unit) for unit in ("a", "0", " ", "a ")}
    for text in texts:
        plain = text.replace("\0", "")
        probes |= {(plain[:at], unit) for at, unit in enumerate(plain)}
    for head, unit in sorted(probes, key=lambda probe: (len(probe[0]), probe))[:MOST_PROBES]:
        if (taken := seconds(pattern, head, unit, 26)) > 0.5:
            return False, f"growth: EXPONENTIAL on {head!r} + {unit!r} * 26 ({taken:.1f} s)"
        if (taken := seconds(pattern, head, unit, 3000)) > 0.5:
            return False, f"growth: POLYNOMIAL on {head!r} + {unit!r} * 3000 ({taken:.1f} s)"
    return True, "growth: no growth seen"


def main() -> int:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pattern = re.compile(sys.argv[1])
    lines = [line for line in Path(sys.argv[2]).read_text("utf-8").splitlines()
             if line.startswith(("+ ", "- "))]  # fmt: skip
    misses = 0
    for line in lines:
        wrong = check(pattern, line)
        misses += wrong is not None
        print(f"MISS  {line}   {wrong}" if wrong else f"ok    {line}")
    calm, verdict = growth(sys.argv[1], [unescape(line[2:].split(" => ")[0]) for line in lines])
    print(verdict)
    return 0 if calm and not misses else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Print likely secrets added anywhere in a git repository's history, masked.

Usage: scan_history.py [REPOSITORY]
One line each: commit, path, kind, the first four characters. Exit code 1 if any was found.
"""

import re
import subprocess
import sys

KINDS = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "cloud key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "forge token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,}|glpat-[\w-]{20,})",
    "chat token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "api key": r"\b(?:sk-[\w-]{20,}|AIza[\w-]{35}|[rs]k_live_\w{20,}|npm_\w{36}|hf_\w{30,})",
    "signed token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "password in URL": r"\b[a-z][a-z0-9+.-]+://[^\s:/@]+:([^\s:/@]{4,})@",
    "assignment": r"(?i)(?:password|passwd|secret|api_?key|auth_?token)\w*[\"']?\s*[:=]\s*"
    r"[\"']?([^\s\"'${}<>()]{8,})",
}
PATTERNS = {kind: re.compile(pattern) for kind, pattern in KINDS.items()}
STANDS_FOR = re.compile(
    r"(?i)x{4}|\*{3}|removed|\.\.\.|example|placeholder|changeme|your[_-]|environ|getenv"
)


def added_lines(repository: str):
    """Every line any commit added, with its commit and path."""
    command = ["git", "-C", repository, "log", "--all", "-p", "-U0", "-m", "--no-color",
               "--no-ext-diff", "--no-textconv", "--format=%x00%h", "--reverse"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        commit = path = ""
        for raw in process.stdout:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if line.startswith("\0"):
                commit = line[1:]
            elif line.startswith("+++ "):
                path = line[4:].removeprefix("b/")
            elif line.startswith("+"):
                yield commit, path, line[1:]
        if process.wait():
            sys.exit(f"{repository} could not be read by git log.")


def main() -> int:
    seen = set()
    for commit, path, line in added_lines(sys.argv[1] if len(sys.argv) > 1 else "."):
        for kind, pattern in PATTERNS.items():
            for match in pattern.finditer(line):
                value = match[match.lastindex or 0]
                if (path, value) in seen or STANDS_FOR.search(value) or len(set(value)) < 6:
                    continue
                seen.add((path, value))
                print(f"{commit}  {path}  {kind}  {value[:4]}…({len(value)} characters)")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())

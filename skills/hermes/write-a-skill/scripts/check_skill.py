#!/usr/bin/env python3
"""Check a skill's folder: front matter, sections, size, code blocks and scripts.

Usage: check_skill.py FOLDER...
Prints what is wrong, one line each, and exits with 1; else `skill: ok` per folder. It runs
nothing of the skill: shell is only parsed by `bash -n`, Python only compiled.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

KEYS = {"name", "description", "license", "compatibility", "allowed-tools", "metadata"}
SECTIONS = ("When to use", "Prerequisites", "Steps", "Variations", "Pitfalls", "Verify")
OWN_PATHS = re.compile(r"/(?:home|Users)/(?!(?:user|me|name|deploy|USER)\b)[a-z][\w-]*/")


def front_matter(text: str) -> "tuple[dict[str, str], str]":
    """Keys and values as written, metadata's as `metadata.key`; and the body."""
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if match is None:
        raise ValueError("the file does not begin with front matter between two lines of '---'")
    fields, parent = {}, ""
    for line in match[1].splitlines():
        found = re.fullmatch(r"( *)([\w-]+):(?: (.*))?", line)
        if found is None:
            raise ValueError(f"this front matter line is no plain 'key: value': {line!r}")
        indent, key, value = found[1], found[2], (found[3] or "").strip()
        if not indent:
            parent = key
        fields[key if not indent else f"{parent}.{key}"] = value.strip("\"'")
        if value[:1] in ("[", "{", "|", ">"):
            raise ValueError(f"{key} has to be one line of text")
    return fields, match[2]


def head_faults(fields: "dict[str, str]", folder: Path):
    for key in {key.split(".")[0] for key in fields} - KEYS:
        yield f"the key {key!r} is not in the standard"
    name, description = fields.get("name", ""), fields.get("description", "")
    if name != folder.resolve().name:
        yield f"the name {name!r} is not the folder's"
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name) or len(name) > 64:
        yield "the name has to be lower-case words with single hyphens, at most 64 characters"
    if not 60 <= len(description) <= 300:
        yield f"the description has {len(description)} characters; 60 to 300 work best"
    if not re.search(r"(?i)\b(?:use (?:when|for|to|it|after|before)|when)\b", description):
        yield "the description does not say when to use the skill"
    if "---" in description:
        yield "three hyphens in the description end the front matter for some readers"


def body_faults(body: str):
    lines = body.splitlines()
    if len(lines) > 250:
        yield f"the body has {len(lines)} lines; move reference material out above 250"
    at = [next((i for i, line in enumerate(lines) if line == f"## {name}"), None)
          for name in SECTIONS]  # fmt: skip
    yield from (f"there is no section '## {name}'" for name, i in zip(SECTIONS, at) if i is None)  # noqa: B905
    if at[-1] is not None and "```" not in "\n".join(lines[at[-1] :]):
        yield "Verify has no command"
    if match := OWN_PATHS.search(body):
        yield f"{match[0]!r} looks like a path of one machine"
    for number, (language, code) in enumerate(blocks(body), 1):
        if fault := code_fault(language, code):
            yield f"code block {number} ({language}): {fault}"


def blocks(body: str):
    """Language and text of each fenced block; indented fences lose their indent."""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", body, re.DOTALL | re.MULTILINE):
        yield match[2], re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)


def code_fault(language: str, code: str) -> "str | None":
    if language in ("bash", "sh"):
        done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True)
        return done.stderr.strip() or None
    if language == "python":
        try:
            compile(code, "block", "exec")
        except SyntaxError as error:
            return str(error)
    return None


def script_faults(folder: Path, body: str):
    for path in sorted((folder / "scripts").glob("*")):
        if path.name not in body:
            yield f"{path.name} is not mentioned in the body"
        if not os.access(path, os.X_OK):
            yield f"{path.name} is not executable"
        language = {".py": "python", ".sh": "sh"}.get(path.suffix, "")
        if fault := code_fault(language, path.read_text("utf-8")):
            yield f"{path.name}: {fault}"


def faults(folder: Path):
    try:
        fields, body = front_matter((folder / "SKILL.md").read_text("utf-8"))
    except (OSError, ValueError) as error:
        yield str(error)
        return
    yield from head_faults(fields, folder)
    yield from body_faults(body)
    yield from script_faults(folder, body)


def main() -> int:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    bad = 0
    for folder in map(Path, sys.argv[1:]):
        found = list(faults(folder))
        bad += bool(found)
        for fault in found:
            print(f"{folder.name}: {fault}")
        if not found:
            print(f"skill: ok  {folder.name}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The skills in `skills/`: each is held to what `hermes/write-a-skill` asks of others."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
import skills_ref
import yaml
from msgspec import Struct

from hermes_tui.safety.scanner import blocks, scan
from hermes_tui.skills.lint import Draft, faults
from hermes_tui.skills.skill import parted
from hermes_tui.skills.slots import shell_commands, slots
from hermes_tui.skills.validation import validate

ROOT = Path(__file__).parents[2]
SKILLS = ROOT / "skills"
FOLDERS = sorted(file.parent for file in SKILLS.glob("*/*/SKILL.md"))
SCRIPTS = sorted(SKILLS.glob("*/*/scripts/*"))
SECTIONS = ["When to use", "Prerequisites", "Steps", "Variations", "Pitfalls", "Verify"]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
WORDS_THAT_JOIN = {
    "a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "use", "with",
}  # fmt: skip

each_skill = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)


class Written(Struct, frozen=True):
    """A bundled skill as it lies on the disk."""

    description: str
    metadata: dict[str, str]
    body: str

    def code(self, *languages: str) -> list[str]:
        return [text for _, language, text in FENCE.findall(self.body) if language in languages]


def read(folder: Path) -> Written:
    head, body = parted((folder / "SKILL.md").read_text("utf-8"))
    fields = yaml.safe_load(head)
    return Written(fields["description"], fields["metadata"], body)


def parsed_by_bash(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)


def test_there_are_at_least_thirty_in_at_least_eight_categories() -> None:
    assert len(FOLDERS) >= 30
    assert len({folder.parent.name for folder in FOLDERS}) >= 8


def test_no_skill_lies_deeper_or_shallower_than_its_category() -> None:
    assert sorted(file.parent for file in SKILLS.rglob("SKILL.md")) == FOLDERS


def test_no_name_is_used_twice() -> None:
    assert max(Counter(folder.name for folder in FOLDERS).values()) == 1


@each_skill
def test_the_reference_validator_takes_it(folder: Path) -> None:
    assert skills_ref.validate(folder) == []


@each_skill
def test_our_own_validator_has_nothing_to_say(folder: Path) -> None:
    verdict = validate(folder)
    assert (verdict.errors, verdict.warnings) == ((), ())


@each_skill
def test_its_metadata_are_flat_strings_of_ours(folder: Path) -> None:
    metadata: dict[str, object] = dict(read(folder).metadata)
    assert {"hermes-tags", "hermes-requires-toolsets", "hermes-platforms"} == set(metadata)
    assert all(isinstance(value, str) for value in metadata.values())
    assert set(str(metadata["hermes-platforms"]).split()) <= {"linux", "macos"}


@each_skill
def test_its_description_says_what_and_when_in_one_sentence(folder: Path) -> None:
    description = read(folder).description
    assert 60 <= len(description) <= 300
    assert re.search(r"; use (?:when|for|to|before|after)\b", description)
    assert "---" not in description
    assert description.endswith(".")
    assert description.count(". ") == 0


@each_skill
def test_its_body_is_short_and_has_all_sections_in_order(folder: Path) -> None:
    body = read(folder).body
    assert len(body.splitlines()) < 250
    headings = re.findall(r"^## (.+)$", FENCE.sub("", body), re.MULTILINE)
    assert headings == SECTIONS


@each_skill
def test_its_last_section_has_a_command_that_proves_success(folder: Path) -> None:
    _, _, verify = read(folder).body.partition("\n## Verify\n")
    assert any(language in {"bash", "sql"} for _, language, _ in FENCE.findall(verify))


@each_skill
def test_its_shell_blocks_parse(folder: Path) -> None:
    for block in read(folder).code("bash", "sh"):
        assert parsed_by_bash(block).stderr == "", block


@each_skill
def test_its_python_blocks_compile(folder: Path) -> None:
    for block in read(folder).code("python"):
        ast.parse(block)


@each_skill
def test_every_block_of_code_is_closed_and_names_its_language(folder: Path) -> None:
    body = read(folder).body
    assert len(re.findall(r"^ *```", body, re.MULTILINE)) == 2 * len(FENCE.findall(body))
    assert all(language for _, language, _ in FENCE.findall(body))


@each_skill
def test_nothing_in_it_is_taken_for_a_gap_or_an_inline_command(folder: Path) -> None:
    body = read(folder).body
    assert (slots(body), shell_commands(body), "$ARGUMENTS" in body) == ({}, [], False)


@each_skill
def test_it_is_a_general_procedure(folder: Path) -> None:
    written = read(folder)
    assert faults(Draft(folder.name, written.description, written.body)) == []


@each_skill
def test_the_scanner_blocks_nothing_of_it(folder: Path) -> None:
    for file in (file for file in folder.rglob("*") if file.is_file()):
        assert blocks(scan(file.read_text("utf-8", errors="replace"))) == [], file


@each_skill
def test_every_file_beside_it_is_named_in_it(folder: Path) -> None:
    body = read(folder).body
    files = [
        file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    ]
    named = [file.relative_to(folder).as_posix() for file in files if file.name != "SKILL.md"]
    ours = [name for name in named if not name.startswith("evals/")]
    assert [name for name in ours if name not in body] == []
    told = set(re.findall(r"\bscripts/[\w.-]+\.(?:py|sh)\b", body))
    assert told <= set(named) | {"scripts/check.sh"}


@each_script
def test_a_script_can_be_run_and_compiles(script: Path) -> None:
    text = script.read_text("utf-8")
    assert os.access(script, os.X_OK)
    if script.suffix == ".py":
        assert text.startswith("#!/usr/bin/env python3\n")
        compile(text, str(script), "exec")
    else:
        assert text.startswith("#!/bin/sh\n")
        assert parsed_by_bash(text).stderr == ""


@each_script
def test_a_python_script_needs_nothing_but_the_standard_library(script: Path) -> None:
    if script.suffix != ".py":
        return
    tree = ast.parse(script.read_text("utf-8"))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import)
                for name in node.names}  # fmt: skip
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= set(sys.stdlib_module_names)


def test_no_two_descriptions_are_nearly_the_same() -> None:
    words = {
        folder.name: set(re.findall(r"[a-z0-9]+", read(folder).description.lower()))
        - WORDS_THAT_JOIN
        for folder in FOLDERS
    }
    alike = [
        (a, b)
        for a, b in combinations(words, 2)
        if len(words[a] & words[b]) / len(words[a] | words[b]) > 0.4
    ]
    assert alike == []


def test_the_page_about_the_library_has_a_row_for_each() -> None:
    page = (ROOT / "docs" / "skills-library.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(folder.name for folder in FOLDERS)


def test_the_skill_about_skills_finds_no_fault_with_any() -> None:
    check = SKILLS / "hermes" / "write-a-skill" / "scripts" / "check_skill.py"
    done = subprocess.run([sys.executable, check, *FOLDERS], capture_output=True, text=True)
    assert (done.returncode, done.stdout.count("skill: ok")) == (0, len(FOLDERS)), done.stdout

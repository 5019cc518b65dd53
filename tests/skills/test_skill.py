from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ConfigError
from hermes_tui.skills.skill import (
    MAX_BYTES,
    is_name,
    parted,
    read_skill,
    skill_text,
    with_metadata,
)


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    return folder


NAMES = st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True)
WORDS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=200
).filter(lambda text: text.strip() != "")


@given(NAMES, WORDS, st.text(st.characters(blacklist_categories=["Cs"]), max_size=300))
def test_what_is_written_is_read_back(name: str, description: str, body: str) -> None:
    text = skill_text(name, description, body, metadata={"hermes-version": "7"})
    head, read = parted(text)
    assert read.strip() == body.strip().replace("\r\n", "\n") or read.split() == body.split()
    assert head.startswith(f"name: {name}\n")


def test_a_description_cannot_end_the_head_early(tmp_path: Path) -> None:
    text = skill_text("a", "one --- two: “three” # four\n---\nbody", "Body")
    skill = read_skill(written(tmp_path / "a", text))
    assert "--- " not in skill.description
    assert skill.description.endswith("body")


@pytest.mark.parametrize(
    "head",
    [
        "name: peer\ndescription: Does it\nversion: 3\nplatforms: [linux, macos]\n"
        "metadata:\n  hermes:\n    requires_toolsets: [terminal, web]\n",
        'name: peer\ndescription: Does it\nmetadata:\n  hermes-requires-toolsets: "terminal web"\n'
        '  hermes-version: "3"\n  hermes-platforms: linux macos\n',
    ],
)
def test_other_tools_and_our_own_ways_mean_the_same(tmp_path: Path, head: str) -> None:
    skill = read_skill(written(tmp_path / "peer", f"---\n{head}---\nBody\n"))
    assert skill.words("version") == ("3",)
    assert skill.words("requires-toolsets") == ("terminal", "web")
    assert skill.words("platforms") == ("linux", "macos")


def test_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "SKILL.md").write_bytes(
        b"\xef\xbb\xbf---\r\nname: a\r\ndescription: x\r\n---\r\nHi\r\n"
    )
    assert read_skill(folder).name == "a"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Just text", "does not begin with a line"),
        ("---\nname: a\ndescription: b\n", "head does not end"),
        ("---\nname: a\n---\nBody", "no description"),
        ("---\nname: a\ndescription: [Use when\n---\n", "line"),
        ("---\n- a\n- b\n---\n", "no keys"),
        ("---\nname: !!python/object/apply:os.system [id]\ndescription: x\n---\n", "line 2"),
        ("---\nname: a\ndescription: x\n---\n\0", "no text"),
        ("---\nname: 日本\ndescription: x\n---\n", "no name"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_skill(written(tmp_path / "日本", text))


def test_a_file_too_large_or_binary_or_linked_says_so(tmp_path: Path) -> None:
    large = written(tmp_path / "large", "---\nname: large\ndescription: x\n---\n" + "x" * MAX_BYTES)
    binary = written(tmp_path / "binary", "")
    (binary / "SKILL.md").write_bytes(b"\xff\xfe\x00\x01")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "SKILL.md").symlink_to(large / "SKILL.md")
    for folder, said in ((large, "bytes"), (binary, "UTF-8"), (linked, "is a link")):
        with pytest.raises(ConfigError, match=said):
            read_skill(folder)


@pytest.mark.parametrize(
    ("name", "goes_by", "problem"),
    [
        ("other", "other", "lies in the folder"),
        ("My Skill", "my-skill", "no name the standard allows"),
        ("", "here", "has no name"),
    ],
)
def test_a_wrong_name_is_noted_and_made_right(
    tmp_path: Path, name: str, goes_by: str, problem: str
) -> None:
    skill = read_skill(written(tmp_path / "here", f"---\nname: {name}\ndescription: x\n---\nB"))
    assert skill.name == goes_by
    assert any(problem in one for one in skill.problems)


def test_a_skill_cannot_claim_to_be_ours(tmp_path: Path) -> None:
    text = skill_text("a", "x", "B", metadata={"hermes-origin": "bundled"})
    assert read_skill(written(tmp_path / "a", text), origin="project").origin == "project"


def test_new_metadata_leaves_the_words_alone() -> None:
    before = "---\nname: a\ndescription: It's “x” y\nlicense: MIT\n---\n\nBody # 1\n"
    after = with_metadata(before, {"hermes-version": "2"})
    assert after.endswith("\n---\n\nBody # 1\n")
    assert 'license: "MIT"' in after
    assert '"2"' not in with_metadata(after, {"hermes-version": None})


@pytest.mark.parametrize("name", ["", "A", "a--b", "-a", "a-", "a_b", "a" * 65, "a\n", "ä"])
def test_names_the_standard_forbids_are_refused(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(ConfigError, match="cannot be called"):
        skill_text(name, "x", "B")


def test_a_colon_without_quotes_is_read_as_it_is_meant(tmp_path: Path) -> None:
    text = "---\nname: a\ndescription: Fill forms: use when it's a PDF: always\n---\nBody"
    skill = read_skill(written(tmp_path / "a", text))
    assert skill.description == "Fill forms: use when it's a PDF: always"
    assert skill.problems == ("A value with a colon is not in quotes.",)


def test_a_description_cannot_hide_anything(tmp_path: Path) -> None:
    text = skill_text("a", "Does \u202eit\u202c", "Body")
    assert "\u202e" not in read_skill(written(tmp_path / "a", text)).description

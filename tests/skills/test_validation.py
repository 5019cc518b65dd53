from pathlib import Path

import pytest
import skills_ref
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hermes_tui.core.errors import NotFoundError
from hermes_tui.skills.roots import bundled
from hermes_tui.skills.skill import skill_text
from hermes_tui.skills.validation import MAX_HEAD_CHARS, complaints, validate


def reference_refuses(text: str, name: str, folder: Path) -> bool:
    """Whether the standard's own validator refuses it; a crash of it is a refusal."""
    skill = folder / name
    skill.mkdir(exist_ok=True)
    (skill / "SKILL.md").write_text(text, encoding="utf-8", newline="")
    try:
        return bool(skills_ref.validate(skill))
    except Exception:  # noqa: BLE001 - strictyaml raises what it likes
        return True


GOOD_AND_BAD = (
    "---\nname: a\ndescription: b\n---\nBody\n",
    "---\r\nname: a\r\ndescription: b\r\n---\r\nBody\r\n",
    "---\rname: a\rdescription: b\r---\rBody",
    "\ufeff---\nname: a\ndescription: b\n---\n",
    "---\nname: a\ndescription: one --- two\n---\nBody\n",
    "---\nname: a\ndescription: b---\n",
    "---name: a\ndescription: b\n---",
    "--- name: a\n---",
    "---\nname: a\ndescription: b\n",
    "---\n---\n",
    "---\nname: b\ndescription: c\n---\n",
    "---\nname: A\ndescription: c\n---\n",
    "---\nname: a\ndescription: Use when: it rains\n---\n",
    "---\nname: a\ndescription: 'Use when: it rains'\n---\n",
    "---\nname: a\ndescription:\n---\n",
    "---\nname: a\ndescription: ''\n---\n",
    "---\nname: a\ndescription: null\n---\n",
    "---\nname: a\ndescription: 3\n---\n",
    "---\nname: a\ndescription:\n  - x\n---\n",
    "---\nname: a\ndescription: >\n  folded\n  text\n---\n",
    "---\nname: a\ndescription: |\n  kept\n  text\n---\n",
    "---\nname: a\nname: a\ndescription: b\n---\n",
    "---\nname: a\ndescription: b\nversion: 1\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  k: v\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  k:\n    n: v\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  k:\n    n: v\n  l:\n      n: v\n---\n",
    "---\nname: a\ndescription: b\nmetadata: {k: v}\n---\n",
    "---\nname: a\ndescription: b\nmetadata: text\n---\n",
    "---\nname: a\ndescription: b\nallowed-tools: [x]\n---\n",
    "---\nname: a\ndescription: b\nallowed-tools:\n  - x\n  - y\n---\n",
    "---\nname: a\ndescription: b\nallowed-tools:\n- x\n---\n",
    "---\nname: a\ndescription: b\nlicense: &l MIT\n---\n",
    "---\nname: a\ndescription: b\nlicense: *l\n---\n",
    "---\nname: a\ndescription: b\nlicense: !!str MIT\n---\n",
    "---\nname: a\ndescription: !!python/object/apply:os.system [id]\n---\n",
    "---\nname: a\ndescription: b\n<<: c\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  <<:\n    k: v\n---\n",
    "---\n? - a\n: b\nname: a\ndescription: b\n---\n",
    "---\n- name: a\n---\n",
    "---\njust text\n---\n",
    "---\nname: a\ndescription: b # comment\n# another\n---\n",
    "---\n# comment\nname: a\n\n\ndescription: b\n---\n",
    "---\nname: a\n\tdescription: b\n---\n",
    "---\nname: a\ndescription: b\n...\nmore: c\n---\n",
    "---\nname: a\ndescription: @b\n---\n",
    "---\nname: a\ndescription: `b`\n---\n",
    "---\nname: a\ndescription: %b\n---\n",
    "---\nname: a\ndescription: [b\n---\n",
    "---\nname: a\ndescription: \"b\n---\n",
    "---\nname: a\ndescription: \"b\\q\"\n---\n",
    "---\nname: a\ndescription: \"b\\/c\"\n---\n",
    "---\nname: a\ndescription: b\x01\n---\n",
    "---\nname: a\ndescription: b\0\n---\n",
    "---\nname: a\ndescription: b\ncompatibility: " + "x" * 501 + "\n---\n",
    "---\nname: a\ndescription: b\ncompatibility:\n  k: v\n---\n",
    "---\nname: a\ndescription: " + "x" * 1025 + "\n---\n",
    "---\n: b\nname: a\ndescription: b\n---\n",
    "---\n'name': a\n\"description\": b\n---\n",
    "---\nname: 'a'\ndescription: b\nmetadata:\n  a:\n   - b:\n       c\n---\n",
    "---\nname:a\ndescription: b\n---\n",
    "---\nname: a\ndescription: - b\n---\n",
    "---\nname: a\ndescription: ? b\n---\n",
    "---\nname: a\n description: b\n---\n",
    "---\nname: a\ndescription: b\n  continued: c\n---\n",
    "---\nname: a\ndescription: b\n  continued\n---\n",
    "---\nname: a\ndescription: <<\n---\n",
    "---\nname: a\ndescription: '<<'\n---\n",
    "---\nname: a\ndescription: =\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  =: c\n---\n",
    "---\nname: a\ndescription: b\nmetadata:\n  k: '='\n---\n",
    "",
    "---",
    "------",
    "text",
)  # fmt: skip


@pytest.mark.parametrize("text", GOOD_AND_BAD, ids=lambda text: repr(text)[:60])
def test_the_reference_validator_would_say_the_same(text: str, tmp_path: Path) -> None:
    assert bool(complaints(text, "a")) == reference_refuses(text, "a", tmp_path)


SCALARS = st.one_of(
    st.sampled_from(
        ["a", "A-b", "x: y", "#x", "x #y", "'x'", '"x"', "[x]", "{x: y}", "&a b", "*a", "!t x",
         "null", "~", "3", "true", "|\n    x\n    y", ">-\n    x", "- x", "? x", "<<", "", "@x",
         "`x`", "%x", "x---y", "---", "\n    - x\n    - y", "\n    k: v", "\n      k: v\n    l: w",
         "\n    k: v\n    k: w", "\n    <<: v", "日本", "a\tb", "'it''s'", '"\\x41"', '"\\z"']
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=20),
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "description", "license", "metadata", "compatibility", "allowed-tools", "version",
     "'name'", "? name", "- name", "<<", " name", "&k name"]
)  # fmt: skip
HEADS = st.lists(st.tuples(KEYS, SCALARS), max_size=6).map(
    lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs)
)


@settings(max_examples=300, deadline=None)
@given(HEADS)
@example("description: b\nmetadata:\n  k: v\n  # note\n")
def test_any_head_is_judged_as_the_reference_validator_judges_it(
    tmp_path_factory: pytest.TempPathFactory, head: str
) -> None:
    text = f"---\nname: a\n{head}---\nBody\n"
    folder = tmp_path_factory.getbasetemp()
    assert bool(complaints(text, "a")) == reference_refuses(text, "a", folder), text


NAMES = st.one_of(
    st.from_regex(r"[a-z0-9-]{1,70}", fullmatch=True),
    st.text(st.characters(categories=["L", "N", "M"]), min_size=1, max_size=5),
    st.sampled_from(["ﬁ", "ß", "İ", "a_b", "a.b", "日本", "½", "a" * 64, "a" * 65]),
)


@settings(max_examples=200, deadline=None)
@given(NAMES, st.booleans())
def test_any_name_is_judged_as_the_reference_validator_judges_it(
    tmp_path_factory: pytest.TempPathFactory, name: str, is_same: bool
) -> None:
    text = f"---\nname: '{name}'\ndescription: b\n---\n"
    folder = name if is_same else "other"
    root = tmp_path_factory.getbasetemp()
    assert bool(complaints(text, folder)) == reference_refuses(text, folder, root)


@settings(max_examples=100, deadline=None)
@given(
    st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True),
    st.text(
        st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=200
    ).filter(lambda text: bool(text.replace("---", "--").split())),
    st.dictionaries(
        st.from_regex(r"[a-z]{1,4}(-[a-z]{1,4}){0,3}", fullmatch=True),
        st.text(st.characters(blacklist_categories=["Cs"]), max_size=30),
    ),
)
def test_what_hermes_writes_has_nothing_to_complain_about(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    description: str,
    metadata: dict[str, str],
) -> None:
    text = skill_text(name, description, "Body", metadata=metadata)
    assert complaints(text, name) == []
    assert not reference_refuses(text, name, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("file", sorted(bundled().rglob("SKILL.md")), ids=lambda f: f.parent.name)
def test_what_comes_with_hermes_is_judged_alike(file: Path) -> None:
    assert validate(file).standard == ()
    assert skills_ref.validate(file.parent) == []


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    return folder


def test_what_the_validator_lets_pass_is_a_warning(tmp_path: Path) -> None:
    text = (
        "---\nname: a\ndescription: one --- two\nmetadata:\n  k:\n    n: v\n---\n" + "line\n" * 600
    )
    verdict = validate(written(tmp_path / "a", text))
    assert verdict.errors == ()
    assert any("first `---`" in one for one in verdict.warnings)
    assert any("body is long" in one for one in verdict.warnings)
    nested = validate(
        written(tmp_path / "b", "---\nname: b\ndescription: x\nmetadata:\n  k:\n    n: v\n---\nB\n")
    )
    assert [one for one in nested.warnings if "nested" in one] == [
        "metadata.k is nested; the standard wants strings."
    ]


def test_what_hermes_cannot_read_is_an_error_all_the_same(tmp_path: Path) -> None:
    verdict = validate(written(tmp_path / "a", "---\nname: a\ndescription: b---\n"))
    assert verdict.standard == ()
    assert verdict.errors == (verdict.unusable,)
    assert "head does not end" in verdict.unusable


def test_a_head_of_hundreds_of_kilobytes_is_refused_at_once() -> None:
    text = "---\nname: a\ndescription: b\nmetadata:\n" + "  k: v\n" * MAX_HEAD_CHARS + "---\n"
    assert "more than" in complaints(text, "a")[0]
    nested = "---\nname: a\ndescription: b\nmetadata:\n  " + "- " * 5000 + "x\n---\n"
    assert complaints(nested, "a")


def test_a_folder_without_a_skill_and_no_folder_at_all(tmp_path: Path) -> None:
    assert validate(tmp_path).errors
    with pytest.raises(NotFoundError, match="no folder"):
        validate(tmp_path / "missing")
    folder = written(tmp_path / "a", "---\nname: a\ndescription: b\n---\nBody\n")
    assert validate(folder / "SKILL.md") == validate(folder)

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.sources import Source, is_bare, parse_source

HUB = "https://github.com/anna/tools"


def parsed(text: str) -> Source:
    return parse_source(text, os.environ)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("anna/tools", Source("git", HUB)),
        ("anna/tools.git", Source("git", HUB)),
        ("anna/tools/skills/pdf", Source("git", HUB, "", "skills/pdf")),
        ("anna/tools#v1:skills/pdf", Source("git", HUB, "v1", "skills/pdf")),
        (HUB, Source("git", HUB)),
        (f"{HUB}/", Source("git", HUB)),
        (f"{HUB}#skills/pdf", Source("git", HUB, "", "skills/pdf")),
        (f"{HUB}#v1.2:", Source("git", HUB, "v1.2", "")),
        (f"{HUB}/tree/main/skills/pdf", Source("git", HUB, "main", "skills/pdf")),
        (f"{HUB}/blob/main/skills/pdf/SKILL.md", Source("git", HUB, "main", "skills/pdf")),
        (f"{HUB}/tree/0123abc", Source("git", HUB, "0123abc", "")),
        (
            "https://gitlab.com/a/b/c/-/tree/main/x",
            Source("git", "https://gitlab.com/a/b/c", "main", "x"),
        ),
        ("git@host.example:a/b.git#x", Source("git", "git@host.example:a/b.git", "", "x")),
        ("ssh://git@host:2222/a/b", Source("git", "ssh://git@host:2222/a/b")),
        ("file:///srv/skills.git#x", Source("git", "file:///srv/skills.git", "", "x")),
        (
            "https://example.com/pdf.skill#pdf",
            Source("download", "https://example.com/pdf.skill", "", "pdf"),
        ),
    ],
)  # fmt: skip
def test_what_people_write_is_understood(text: str, source: Source) -> None:
    assert parsed(text) == source
    assert parsed(str(source)) == source


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "-uevil", "--upload-pack=touch x", "a\nb", "ext::sh -c touch% x", "fd::17",
        "http://example.com/x", "git://example.com/x", "ftp://example.com/x.zip", "HTTP://a/b",
        "https:///x", "https://user:secret@host/x", "https://token@host/x", "ssh://-oProxy/x",
        "https://-x/y", "ssh://user:pw@host/x", "git@host:-oProxy", "no such file",
        "anna/tools/../../x", "anna/..", "../missing", "/missing", "anna/tools#-x:y",
        "anna/tools#a..b:y", "anna/tools#x:../y", f"{HUB}#../x", f"{HUB}#/./x", "https://[/x",
    ],
)  # fmt: skip
def test_what_is_unsafe_or_nothing_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(HermesError) as refused:
        parsed(text)
    assert refused.value.hint


def test_what_is_there_comes_before_a_repository_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "anna" / "tools").mkdir(parents=True)
    (tmp_path / "odd#name").mkdir()
    (tmp_path / "pdf.zip").touch()
    (tmp_path / "anna" / "tools" / "SKILL.md").touch()
    monkeypatch.chdir(tmp_path)
    folder = Source("folder", str(tmp_path / "anna" / "tools"))
    assert parsed("anna/tools") == folder
    assert parsed("anna/tools/SKILL.md") == folder
    assert parsed("./odd#name") == Source("folder", str(tmp_path / "odd#name"))
    assert parsed("pdf.zip#x/y") == Source("file", str(tmp_path / "pdf.zip"), "", "x/y")
    assert parsed("anna/../anna/tools") == folder
    monkeypatch.chdir("/")
    assert parsed(str(folder)) == folder


@given(st.text(max_size=60))
def test_any_text_is_a_source_that_reads_back_or_an_error(text: str) -> None:
    try:
        source = parsed(text)
    except HermesError:
        return
    assert parsed(str(source)) == source
    assert not source.place.startswith("-")
    assert ".." not in source.inside.split("/")


def test_only_a_word_without_a_colon_behind_an_address_is_bare() -> None:
    assert is_bare(f"{HUB}#v1")
    assert not any(is_bare(f"{HUB}{rest}") for rest in ("#v1:", "#:v1", "#v1:pdf", "#", ""))
    assert parsed(f"{HUB}#:v1") == Source("git", HUB, "", "v1")

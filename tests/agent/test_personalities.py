from pathlib import Path

import pytest

from hermes_tui.agent.personalities import find_personality, personalities
from hermes_tui.core.errors import ConfigError, NotFoundError


def test_presets_are_there_without_any_file(tmp_path: Path) -> None:
    names = [one.name for one in personalities(tmp_path / "none")]
    assert names == ["creative", "teacher", "technical"]


def test_a_file_adds_one_or_replaces_a_preset(tmp_path: Path) -> None:
    (tmp_path / "pirate.md").write_text("Talk like a pirate.\n", encoding="utf-8")
    (tmp_path / "teacher.md").write_text("Ask, never tell.", encoding="utf-8")
    (tmp_path / "Not A Name.md").write_text("x", encoding="utf-8")
    assert find_personality(tmp_path, "pirate").text == "Talk like a pirate."
    assert find_personality(tmp_path, "teacher").is_own
    assert "Not A Name" not in [one.name for one in personalities(tmp_path)]


def test_an_unknown_one_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no personality 'wizard'") as caught:
        find_personality(tmp_path, "wizard")
    assert caught.value.hint == (
        "Choose one of: creative, teacher, technical, none; or describe your own in "
        f"{tmp_path}/wizard.md."
    )


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "quiet.md").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"quiet\.md is empty"):
        find_personality(tmp_path, "quiet")


def test_a_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.md").write_text("secret", encoding="utf-8")
    with pytest.raises(NotFoundError) as caught:
        find_personality(tmp_path / "inner", "../secret")
    assert "secret" not in caught.value.hint

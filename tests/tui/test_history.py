import stat
from pathlib import Path

from hermes_tui.tui.history import LIMIT, PromptHistory


def loaded(path: Path) -> PromptHistory:
    history = PromptHistory()
    history.load(path)
    return history


def test_prompts_come_back_in_another_session(tmp_path: Path) -> None:
    path = tmp_path / "history"
    first = loaded(path)
    for prompt in ("one", "two\nlines", "ünï"):
        first.append(prompt)
    assert loaded(path).prompts == ["one", "two\nlines", "ünï"]


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "history"
    loaded(path).append("secret plans")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_walking_back_and_forth_keeps_the_draft(tmp_path: Path) -> None:
    history = loaded(tmp_path / "history")
    history.add("one")
    history.add("two")
    assert history.back("draft") == "two"
    assert history.back("two") == "one"
    assert history.back("one") is None
    assert history.forward() == "two"
    assert history.forward() == "draft"
    assert history.forward() is None


def test_only_the_newest_prompts_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history = loaded(path)
    for number in range(LIMIT + 20):
        history.append(str(number))
    assert loaded(path).prompts == [str(number) for number in range(20, LIMIT + 20)]
    assert len(path.read_text(encoding="utf-8").splitlines()) == LIMIT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_that_are_no_json_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b'"good"\nbad\n\xff\xfe\n[1]\n"fine"\n')
    assert loaded(path).prompts == ["good", "fine"]


def test_the_same_prompt_twice_in_a_row_is_kept_once(tmp_path: Path) -> None:
    history = loaded(tmp_path / "history")
    history.add("again")
    history.add("again")
    assert history.prompts == ["again"]


def test_a_folder_that_cannot_be_written_loses_only_the_file(tmp_path: Path) -> None:
    history = loaded(tmp_path / "missing" / "history")
    history.add("kept in memory")
    history.append("kept in memory")
    assert history.back("") == "kept in memory"

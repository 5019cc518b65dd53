"""Which home is used, and what is never touched."""

import os
from pathlib import Path

import pytest

from hermes_tui.config.paths import Paths, find_paths, shown
from hermes_tui.core.errors import ConfigError


def environ(home: Path, **others: str) -> dict[str, str]:
    return {"HOME": str(home), **others}


def test_the_home_is_below_the_persons_own_folder(tmp_path: Path) -> None:
    paths = find_paths(environ(tmp_path))
    assert paths.home == tmp_path / ".hermes"
    assert paths.config_file == tmp_path / ".hermes" / "config.yaml"
    assert paths.database.name == "hermes.db"
    assert not paths.home.exists()


@pytest.mark.parametrize("value", ["~/elsewhere", "/abs/elsewhere"])
def test_hermes_home_goes_before_it(tmp_path: Path, value: str) -> None:
    expected = value.replace("~", str(tmp_path))
    assert find_paths(environ(tmp_path, HERMES_HOME=value)).home == Path(expected)


def test_an_empty_hermes_home_counts_as_unset(tmp_path: Path) -> None:
    assert find_paths(environ(tmp_path, HERMES_HOME="")).home == tmp_path / ".hermes"


def test_config_yml_is_accepted_but_not_both(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    home.mkdir()
    (home / "config.yml").touch()
    assert find_paths(environ(tmp_path)).config_file.name == "config.yml"
    (home / "config.yaml").touch()
    with pytest.raises(ConfigError, match=r"Both config\.yaml and config\.yml"):
        find_paths(environ(tmp_path))


@pytest.fixture(params=["state.db", "config.yaml", "config.yml"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A home of hermes-agent, known by one of its files."""
    home = tmp_path / ".hermes"
    home.mkdir()
    text = "model: x\n_config_version: 7\n" if request.param != "state.db" else "SQLite format 3"
    (home / request.param).write_text(text, "utf-8")
    (home / "SOUL.md").write_text("theirs", "utf-8")
    return home


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_home_of_hermes_agent_is_left_alone_and_that_is_said_once(foreign: Path) -> None:
    before = contents(foreign)
    paths = find_paths(environ(foreign.parent))
    assert paths.home == foreign.parent / ".hermes-tui"
    assert "hermes-agent" in paths.notice
    assert "hermes import" in paths.notice
    paths.mark_notice_said()
    assert find_paths(environ(foreign.parent)).notice == ""
    assert contents(foreign) == before


def test_naming_a_home_of_hermes_agent_is_an_error(foreign: Path) -> None:
    with pytest.raises(ConfigError, match="belongs to hermes-agent") as caught:
        find_paths(environ(foreign.parent, HERMES_HOME=str(foreign)))
    assert "~/.hermes-tui" in caught.value.hint


def test_our_own_home_gives_no_notice(tmp_path: Path) -> None:
    home = tmp_path / ".hermes"
    home.mkdir()
    (home / "hermes.db").touch()
    (home / "config.yaml").write_text("model: x # _config_version: is not here\n", "utf-8")
    assert find_paths(environ(tmp_path)).notice == ""


def test_what_is_made_only_its_owner_can_look_into(home: Path) -> None:
    paths = find_paths(os.environ)
    paths.create()
    paths.create()
    for folder in (home, paths.memory_dir, paths.skills_dir, paths.logs_dir, paths.run_dir):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("", "utf-8")
    with pytest.raises(ConfigError, match="not a folder"):
        find_paths(os.environ)


def test_a_home_that_cannot_be_made_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = tmp_path / "file" / "home"
    paths = Paths(home=blocked, config_file=blocked / "config.yaml")
    with pytest.raises(ConfigError, match=r"cannot use its home .*: Not a directory\."):
        paths.create()
    paths.mark_notice_said()


def test_paths_are_shown_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert shown(Path("/home/me/.hermes/x")) == "~/.hermes/x"
    assert shown(Path("/home/mean/x")) == "/home/mean/x"

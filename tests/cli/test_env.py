"""`hermes env`, with this machine as the place and two names for it."""

import os
from pathlib import Path

import msgspec
import pytest

from tests.cli.terminal import hermes


@pytest.fixture(autouse=True)
def two_places() -> None:
    config = Path(os.environ["HERMES_HOME"]) / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("environments:\n  red: {backend: local}\n  blue: {backend: local}\n", "utf-8")


async def test_places_are_listed_with_the_one_in_use(tmp_path: Path) -> None:
    rows = msgspec.json.decode((await hermes("env", "list", "--json", cwd=tmp_path)).out)
    named = {row["name"]: row for row in rows}
    assert named["red"]["kind"] == "local"
    assert [name for name, row in named.items() if row["is_current"]] == ["local"]


async def test_a_place_that_is_used_is_used_from_then_on(tmp_path: Path) -> None:
    done = await hermes("env", "use", "red", cwd=tmp_path)
    assert (done.code, "config.yaml says so" in done.err) == (0, True)
    assert "name: red" in (await hermes("env", "show", cwd=tmp_path)).out


async def test_a_command_runs_everywhere_asked_for_with_a_result_each(tmp_path: Path) -> None:
    done = await hermes("env", "run", "--on", "red,blue", "echo hi", cwd=tmp_path)
    assert sorted(done.out.splitlines()) == ["blue: hi", "red: hi"]
    assert "red: exit code 0" in done.err
    told = await hermes("env", "run", "--json", "--on", "red,mars", "exit 3", cwd=tmp_path)
    rows = msgspec.json.decode(told.out)
    assert rows[0]["exit_code"] == 3
    assert "There is no environment 'mars'" in rows[1]["error"]
    assert told.code == 1


async def test_one_place_gives_the_commands_own_code(tmp_path: Path) -> None:
    done = await hermes("env", "run", "exit 7", cwd=tmp_path)
    assert (done.code, done.err) == (7, "")


async def test_the_doctor_tries_a_command_and_a_file(tmp_path: Path) -> None:
    done = await hermes("env", "doctor", "red", cwd=tmp_path)
    assert done.code == 0
    assert [line[0] for line in done.out.splitlines()] == ["✓", "✓", "✓"]


async def test_files_are_copied_in_and_out_byte_for_byte(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40
    (tmp_path / "a").write_bytes(data)
    inside = tmp_path / "inside"
    assert (await hermes("env", "cp", "a", f"red:{inside}", cwd=tmp_path)).code == 0
    assert (await hermes("env", "cp", f"red:{inside}", "b", cwd=tmp_path)).code == 0
    assert (tmp_path / "b").read_bytes() == data
    missing = await hermes("env", "cp", "mars:x", "b", cwd=tmp_path)
    assert (missing.code, "There is no environment 'mars'" in missing.err) == (2, True)


async def test_a_shell_remembers_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    done = await hermes("env", "shell", stdin=b"cd sub\npwd\nexit\n", cwd=tmp_path)
    assert done.code == 0
    assert f"{tmp_path}/sub\n" in done.out


async def test_a_place_that_is_not_there_has_nothing_to_show(tmp_path: Path) -> None:
    done = await hermes("env", "show", "nope", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "There is no environment 'nope'. Choose one of: blue, " in done.err


async def test_nothing_is_removed_without_a_yes(tmp_path: Path) -> None:
    done = await hermes("env", "clean", "docker", cwd=tmp_path)
    said = "hermes: Nobody is there to say yes, so nothing was removed. Pass --yes to go ahead.\n"
    assert (done.code, done.err) == (3, said)


@pytest.mark.parametrize("words", [["local"], ["red", "--yes"]])
async def test_a_machine_hermes_did_not_make_is_not_offered_for_removal(
    tmp_path: Path, words: list[str]
) -> None:
    done = await hermes("env", "clean", *words, cwd=tmp_path)
    assert (done.code, "is not of Hermes's making" in done.err) == (2, True)


async def test_a_place_without_a_kind_is_a_configuration_error(tmp_path: Path) -> None:
    config = Path(os.environ["HERMES_HOME"]) / "config.yaml"
    config.write_text("environments: {red: {host: x}}\n", "utf-8")
    done = await hermes("run", "--env", "red", "-m", "rehearsal", "hi", cwd=tmp_path)
    assert (done.code, "'environments.red' needs a 'backend'" in done.err) == (2, True)

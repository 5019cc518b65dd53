"""`hermes env`, with this machine as the place and two names for it."""

import os
from pathlib import Path

import msgspec
import pytest

from hermes_tui.cli.env_commands import split_place
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import find_paths
from hermes_tui.config.schema import Config
from hermes_tui.runtime.environments import build_environment
from tests.cli.terminal import Typed, hermes


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


async def test_output_of_several_places_is_labelled_line_by_line(tmp_path: Path) -> None:
    command = "for i in 1 2 3; do printf $i; sleep 0.05; done; printf '\\nend'"
    done = await hermes("env", "run", "--on", "red,blue", command, cwd=tmp_path)
    assert sorted(done.out.splitlines()) == ["blue: 123", "blue: end", "red: 123", "red: end"]


async def test_a_target_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "folder").mkdir()
    done = await hermes("env", "cp", "a", "folder", cwd=tmp_path)
    assert done.code == 1
    assert "is a folder, not a file" in done.err
    assert (await hermes("env", "cp", "a", "made/for/it", cwd=tmp_path)).code == 0
    assert (tmp_path / "made/for/it").read_bytes() == b"new"


async def test_a_copy_keeps_the_mode_of_the_file_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b:c").write_bytes(b"old")
    (tmp_path / "b:c").chmod(0o750)
    assert (await hermes("env", "cp", "a", f"local:{tmp_path}/b:c", cwd=tmp_path)).code == 0
    assert (tmp_path / "b:c").read_bytes() == b"new"
    assert (tmp_path / "b:c").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.txt", ("", "a.txt")),
        ("./a:b", ("", "./a:b")),
        ("/tmp/a:b", ("", "/tmp/a:b")),
        ("local:/tmp/a:b", ("local", "/tmp/a:b")),
        ("red:a:b", ("red", "a:b")),
        ("docker:/tmp/a:b", ("docker", "/tmp/a:b")),
        ("docker:python:3.12:/tmp/a:b", ("docker:python:3.12", "/tmp/a:b")),
        ("ssh:me@box:2222:~/a", ("ssh:me@box:2222", "~/a")),
        ("ssh:me@box:a", ("ssh:me@box", "a")),
        ("ssh:a", ("ssh", "a")),
        ("apptainer:/x", ("apptainer", "/x")),
        ("apptainer:/i/box.sif:/x", ("apptainer:/i/box.sif", "/x")),
        ("singularity:docker://debian:12:/x", ("singularity:docker://debian:12", "/x")),
    ],
)
def test_the_name_of_a_place_is_told_from_a_path(text: str, parts: tuple[str, str]) -> None:
    assert split_place(text, Config(environments={"red": {"backend": "local"}})) == parts


async def test_apptainer_is_known_wherever_a_kind_is(tmp_path: Path) -> None:
    shown = await hermes("env", "show", "apptainer", cwd=tmp_path)
    assert (shown.code, "backend: singularity" in shown.out) == (0, True)
    config = Path(os.environ["HERMES_HOME"]) / "config.yaml"
    config.write_text(
        "terminal: {backend: apptainer}\nenvironments: {m: {backend: apptainer}}\n", "utf-8"
    )
    checked = await hermes("config", "check", cwd=tmp_path)
    assert (checked.code, "not installed" in checked.err + checked.out) == (0, False)


async def test_what_is_piped_in_reaches_the_command_in_every_place(tmp_path: Path) -> None:
    done = await hermes("env", "run", "cat", stdin=b"one\0two\n", cwd=tmp_path)
    assert (done.code, done.out) == (0, "one\0two\n")
    done = await hermes("env", "run", "--on", "red,blue", "cat", stdin=b"hi\n", cwd=tmp_path)
    assert sorted(done.out.splitlines()) == ["blue: hi", "red: hi"]


async def test_a_place_named_twice_runs_the_command_once(tmp_path: Path) -> None:
    done = await hermes("env", "run", "--on", "red, red,", "echo once", cwd=tmp_path)
    assert (done.code, done.out) == (0, "once\n")


@pytest.mark.parametrize("on", ["", " , "])
async def test_no_place_at_all_is_no_place_to_run_a_command(tmp_path: Path, on: str) -> None:
    done = await hermes("env", "run", "--on", on, "echo hi", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "--on names no environment." in done.err


async def test_lines_piped_into_a_shell_show_what_they_come_to_and_no_prompts(
    tmp_path: Path,
) -> None:
    done = await hermes("env", "shell", "red", stdin=b"export x=1; echo a\necho $x", cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "a\n1\n", "")


def test_an_interrupt_ends_the_line_or_the_command_but_not_the_shell() -> None:
    with Typed("env", "shell", "red") as shell:
        shell.awaits("$ ")
        shell.types("half a li\x03")
        shell.awaits("$ ")
        shell.types("echo begun; sleep 100\n")
        shell.awaits("begun\r\n")
        shell.types("\x03")
        shell.awaits("$ ")
        shell.types("echo $((6 * 7))\n")
        shell.awaits("42\r\n")
        shell.types("\x04")
        assert shell.ends() == 0


async def test_where_nothing_of_hermes_runs_there_is_nothing_to_stop(tmp_path: Path) -> None:
    done = await hermes("env", "stop", "red", cwd=tmp_path)
    said = "Nothing of Hermes runs in red, so there was nothing to stop.\n"
    assert (done.code, done.err) == (0, said)


@pytest.mark.parametrize("command", [("run", "-m", "rehearsal", "hi", "--env"), ("env", "use")])
async def test_an_empty_name_is_no_environment(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = await hermes(*command, "", cwd=tmp_path)
    assert (done.code, "There is no environment ''." in done.err) == (2, True)


async def test_choosing_a_place_that_cannot_serve_says_so(tmp_path: Path) -> None:
    config = Path(os.environ["HERMES_HOME"]) / "config.yaml"
    config.write_text(
        'environments: {far: {backend: docker, host: "unix:///nowhere.sock"}}\n', "utf-8"
    )
    done = await hermes("env", "use", "far", cwd=tmp_path)
    assert (done.code, "Commands run in far from now on" in done.err) == (0, True)
    assert "It cannot serve yet: There is no Docker daemon" in done.err


async def test_a_place_that_is_configured_no_more_and_left_nothing_is_not_there(
    tmp_path: Path,
) -> None:
    done = await hermes("env", "clean", "gone", "--yes", cwd=tmp_path)
    assert (done.code, "There is no environment 'gone'." in done.err) == (2, True)


async def test_stopping_this_machine_ends_the_jobs_hermes_has_there(tmp_path: Path) -> None:
    paths = find_paths(os.environ)
    paths.create()
    config = load_config(paths, environ=os.environ)
    made = build_environment("red", config=config, paths=paths, cwd=tmp_path)
    job = await made.start("sleep 100")
    await made.close()
    assert (await hermes("env", "stop", "red", cwd=tmp_path)).err == "Stopped red.\n"
    assert not (await job.status()).is_running
    await made.close()

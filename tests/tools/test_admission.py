"""What a call is judged by before it runs: where links lead, and which place it reaches."""

from pathlib import Path
from time import monotonic

import anyio
import anyio.lowlevel
import pytest
from msgspec import Struct

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.environment import Environment, Spot
from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import ToolCall
from hermes_tui.core.ports import Emit
from hermes_tui.runtime.environments import build_environment
from hermes_tui.safety.risk import Assessment, Risk
from hermes_tui.tools.edit import replaced
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import Say, Tool, ToolSet
from hermes_tui.tools.workplace import Workplace
from tests.tools.conftest import Room

pytestmark = pytest.mark.anyio


def key_in(room: Room) -> Path:
    """A key outside the folder commands run in."""
    key = room.folder.parent / ".ssh" / "id_rsa"
    key.parent.mkdir()
    key.write_text("a key\n", "utf-8")
    return key


async def test_writing_through_a_link_counts_as_writing_where_it_leads(room: Room) -> None:
    (room.folder.parent / "out").mkdir()
    (room.folder / "link").symlink_to("../out")
    (room.folder / "inner").symlink_to(".")
    (room.folder / "dangling").symlink_to("../out/new")
    for path, risk in {
        "link/escaped.txt": Risk.OUTSIDE,
        "link/new/deeper.txt": Risk.OUTSIDE,
        "dangling": Risk.OUTSIDE,
        "link/../beside.txt": Risk.OUTSIDE,
        "inner/new/x.txt": Risk.WRITE,
        f"{room.folder}/new.txt": Risk.WRITE,
    }.items():
        await room.call("write_file", path=path, content="x")
        assert (path, room.judged[-1].risk) == (path, risk)


async def test_a_working_directory_reached_through_a_link_is_still_inside(room: Room) -> None:
    (room.folder / "real").mkdir()
    (room.folder / "linked").symlink_to("real")
    await room.call("terminal", command="cd linked")
    await room.call("write_file", path="x.txt", content="x")
    assert room.judged[-1].risk is Risk.WRITE


async def test_going_elsewhere_does_not_make_it_the_place_to_write_in(room: Room) -> None:
    await room.call("terminal", command="cd ..")
    await room.call("write_file", path="beside.txt", content="x")
    await room.call("write_file", path="work/x.txt", content="x")
    assert [judged.risk for judged in room.judged] == [Risk.READ, Risk.OUTSIDE, Risk.WRITE]


async def test_reading_a_link_counts_as_reading_what_it_leads_to(room: Room) -> None:
    key = key_in(room)
    (room.folder / "AGENTS.md").symlink_to(key)
    (room.folder / "keys").symlink_to(key.parent)
    (room.folder / "-plain").write_text("x", "utf-8")
    for tool, arguments in (
        ("read_file", {"path": "AGENTS.md"}),
        ("read_file", {"path": "keys/id_rsa"}),
        ("search_files", {"path": "keys", "pattern": "."}),
        ("terminal", {"command": "cat AGENTS.md"}),
        ("terminal", {"command": "cat *.md | head"}),
        ("terminal", {"command": "true && cat ke*/id_rsa"}),
        ("terminal", {"command": f"cd {room.folder} && cat './keys/id_rsa'"}),
        ("terminal", {"command": "cat AGENTS.md", "env": "local"}),
    ):
        await room.call(tool, **arguments)
        assert (arguments, room.judged[-1].risk) == (arguments, Risk.SECRETS)
    await room.call("read_file", path="-plain")
    await room.call("terminal", command="cat -- -plain nothing && ls keys")
    assert [judged.risk for judged in room.judged[-2:]] == [Risk.READ, Risk.READ]


async def test_a_refused_call_has_not_opened_the_place_it_names(room: Room) -> None:
    refused = await room.call("terminal", command="echo forbidden", env="red")
    assert refused.is_error
    assert not (room.folder.parent / "red").exists()
    assert room.judged[-1].risk is Risk.OUTSIDE
    assert "red, which you have not set up" in room.judged[-1].reason
    await room.call("process", action="list", env="blue")
    assert room.judged[-1].risk is Risk.OUTSIDE


async def test_what_is_typed_into_a_running_program_is_judged_like_a_command(room: Room) -> None:
    for text, risk in {
        "yes\n": Risk.EXECUTE, "ls\n": Risk.EXECUTE, "cat ~/.ssh/id_rsa\n": Risk.SECRETS,
        "hermes skills trust x\n": Risk.HERMES, "rm -rf /\n": Risk.FORBIDDEN,
    }.items():  # fmt: skip
        await room.call("process", action="write", id="none", text=text)
        assert room.judged[-1].risk is risk


async def test_a_place_the_person_set_up_may_be_reached(room: Room, tmp_path: Path) -> None:
    async def nowhere(name: str) -> Environment:
        raise AssertionError(name)

    paths = Paths(home=tmp_path / "home", config_file=tmp_path / "config.yaml")
    here = build_environment("local", config=Config(), paths=paths, cwd=tmp_path)
    workplace = Workplace(here, home="/", open_other=nowhere, configured={"prod"})
    for names, risk in {
        (): Risk.READ, ("prod",): Risk.READ, ("local", "prod"): Risk.READ,
        ("prod", "ssh:me@evil.example"): Risk.OUTSIDE,
    }.items():  # fmt: skip
        assert (await workplace.assess_command("ls", names)).risk is risk
    assert (await workplace.assess_command("rm -rf /", ["red"])).risk is Risk.FORBIDDEN
    assert workplace.spot(["prod"]) == Spot("prod", "where it starts")


async def test_an_edit_that_fits_nowhere_in_a_large_file_leaves_the_loop_free(room: Room) -> None:
    text = "    some line of text\n" * 300_000
    (room.folder / "large").write_text(text, "utf-8")
    began = monotonic()
    with pytest.raises(ToolError):
        replaced(text, "a\nb", "c")
    alone = monotonic() - began
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = monotonic()
            await anyio.lowlevel.checkpoint()
            gaps.append(monotonic() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        result = await room.call("edit_file", path="large", old="a\nb", new="c")
        seen = len(gaps)
        while len(gaps) == seen:  # the last one counts as well
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
        assert result.is_error
    assert max(gaps) < alone / 2


@pytest.mark.parametrize("finder", ["rg", "grep"])
@pytest.mark.parametrize("glob", ["", ".netrc", ".e*", "*", "h*"])
async def test_no_search_finds_what_credential_files_hold(
    room: Room, finder: str, glob: str
) -> None:
    if finder == "grep":
        await room.call("terminal", command='command() { [ "$2" != rg ]; }')
    for name in (".netrc", ".npmrc", ".git-credentials", ".config/gh/hosts.yml", ".env", ".env.x"):
        (room.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (room.folder / name).write_text("password = 1\n", "utf-8")
    (room.folder / ".ignore").write_text("!.netrc\n!.config\n", "utf-8")
    (room.folder / "hello").write_text("password here\n", "utf-8")
    found = await room.call("search_files", pattern="password", glob=glob)
    assert "= 1" not in found.content
    assert ("password here" in found.content) == (glob in {"", "*", "h*"})
    assert (room.judged[-1].risk is Risk.SECRETS) == (glob == ".netrc")


async def test_files_below_a_linked_folder_are_listed(room: Room) -> None:
    (room.folder / "real").mkdir()
    (room.folder / "real" / "one").write_text("x", "utf-8")
    (room.folder / "linked").symlink_to("real")
    assert (await room.call("list_files", path="linked")).content.endswith("linked/one")


async def test_replacing_a_file_that_is_no_text_is_not_called_creating_it(room: Room) -> None:
    (room.folder / "blob").write_bytes(b"\0\1\2")
    replaced = await room.call("write_file", path="blob", content="text\n")
    assert replaced.content.startswith("Replaced blob (1 line).")
    assert replaced.display is None
    created = await room.call("write_file", path="empty/new", content="text\n")
    assert created.content == "Created empty/new (1 line)."


class NoArgs(Struct, frozen=True):
    """Nothing."""


async def test_a_mistake_of_a_place_is_not_blamed_on_the_arguments(tmp_path: Path) -> None:
    async def gate(
        call: ToolCall, action: str, assessment: Assessment, spot: Spot, emit: Emit
    ) -> None: ...

    async def emit(event: object) -> None: ...

    async def run(args: NoArgs, say: Say) -> str:
        raise ValueError("in run")

    def where(args: NoArgs) -> Spot:
        raise ValueError("in where")

    tools = ToolSet(
        [Tool("lost", NoArgs, run, where=where), Tool("broken", NoArgs, run)],
        gate=gate,
        shelf=OutputShelf(tmp_path, limit_chars=4_000),
    )
    for name, said in (("lost", "in where"), ("broken", "in run")):
        result = await tools.run(ToolCall("1", name, "{}"), emit)
        assert result.is_error
        assert result.content == f"{name} crashed: ValueError('{said}')"

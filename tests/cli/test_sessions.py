"""`hermes sessions search`, `import` and `export`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Here
from tests.cli.terminal import hermes

LINES = [
    {"session": "s1", "title": "Ports", "role": "user", "content": "Which port?",
     "time": "2026-03-05T10:00:00Z", "cwd": "/srv/app"},
    {"session": "s1", "role": "assistant", "content": "Port 9090.", "time": "2026-03-05T10:01:00Z"},
    {"session": "s2", "title": "Tools", "role": "assistant", "content": None,
     "tool_calls": [{"id": "c", "function": {"name": "ls", "arguments": "{}"}}],
     "time": "2026-04-05T10:00:00Z"},
    {"session": "s2", "role": "tool", "tool_call_id": "c", "content": "the port is in a.txt",
     "time": "2026-04-05T10:01:00Z"},
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, LINES)))
    return path


def test_an_export_is_read_back_and_nothing_is_taken_twice(
    here: Here, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here("sessions", "import", str(file)).err == "Took in 4 messages of 2 sessions.\n"
    again = here("sessions", "import", str(file))
    assert again.code == 0
    assert again.err == "Took in 0 messages of 2 sessions; 4 were there already.\n"
    first = here("sessions", "export").out
    (tmp_path / "out.jsonl").write_text(first, "utf-8")
    assert here("sessions", "import", str(tmp_path / "out.jsonl")).err.endswith("already.\n")
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "other"))
    assert here("sessions", "import", str(tmp_path / "out.jsonl")).code == 0
    assert here("sessions", "export").out == first


def test_bad_lines_are_named_and_the_others_taken(here: Here, file: Path) -> None:
    with file.open("a", encoding="utf-8") as more:
        more.write('\n{"role": "system", "content": "x"}\nnot json\n{"role": "robot"}\n')
    done = here("sessions", "import", str(file))
    assert done.code == 0
    assert f"{file}, line 6: is no JSON" in done.err
    assert f"{file}, line 7: has the unknown role 'robot'." in done.err
    assert "1 left out (instructions to another model); 2 could not be read." in done.err


@pytest.mark.parametrize("content", [b"", b"junk\n", b"\xff\xfe", b"[1, 2]", b"[" * 100_000])
def test_a_file_of_nothing_that_can_be_taken_is_an_error(
    here: Here, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    done = here("sessions", "import", str(path))
    assert done.code == 1
    assert "holds no message that can be taken in" in done.err
    assert "Traceback" not in done.err


def test_a_file_that_is_not_there_is_an_error(here: Here, tmp_path: Path) -> None:
    done = here("sessions", "import", str(tmp_path / "none"))
    assert (done.code, "cannot be read: No such file" in done.err) == (1, True)


def test_a_json_list_over_several_lines_is_read(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "share.json"
    talk = {"id": "a", "conversations": [{"from": "human", "value": "q"}]}
    path.write_bytes(b"\xef\xbb\xbf" + msgspec.json.format(msgspec.json.encode([talk, talk])))
    assert here("sessions", "import", str(path)).err == "Took in 2 messages of 1 session.\n"
    one = tmp_path / "one.json"
    one.write_bytes(msgspec.json.format(msgspec.json.encode(talk | {"id": "b"})))
    done = here("sessions", "import", str(one), "--json")
    [taken] = msgspec.json.decode(done.out)
    assert taken["session"] == "b"


def test_a_list_that_is_not_whole_says_so(here: Here, file: Path) -> None:
    here("sessions", "import", str(file))
    done = here("sessions", "list", "-n", "1")
    assert len(done.out.splitlines()) == 1
    assert done.err == "There are more: pass --limit, such as --limit 5.\n"
    assert here("sessions", "list", "-n", "2").err == ""


def test_a_search_can_be_narrowed_by_options(here: Here, file: Path) -> None:
    here("sessions", "import", str(file))

    def found(*options: str) -> list[str]:
        done = here("sessions", "search", "port", "--json", *options)
        return [hit["text"] for hit in msgspec.json.decode(done.out)]

    assert len(found()) == 3
    assert found("--role", "tool") == ["the port is in a.txt"]
    assert set(found("--project", "/srv/app")) == {"Which port?", "Port 9090."}
    assert set(found("--project", "app")) == {"Which port?", "Port 9090."}
    assert found("--since", "2026-04-01") == ["the port is in a.txt"]
    assert set(found("--until", "March 2026")) == {"Which port?", "Port 9090."}
    assert len(found("--limit", "1")) == 1
    assert found("--since", "2026-05-01") == []


def test_a_search_shows_sessions_and_says_what_it_did(here: Here, file: Path) -> None:
    here("sessions", "import", str(file))
    done = here("sessions", "search", "which", "port", "in", "March", "2026")
    assert done.code == 0
    assert "Ports  (2 messages)\n" in done.out
    assert "user: Which «port»?\n" in done.out
    assert "1 of 2 sessions; terms used: port; left out: which; dates: in March 2026" in done.err


def test_nothing_found_is_said_with_the_nearest_and_ends_with_1(here: Here, file: Path) -> None:
    here("sessions", "import", str(file))
    done = here("sessions", "search", "kubernetes")
    assert done.code == 1
    assert "Ports  (2 messages)" in done.out
    assert done.err == (
        "Nothing has these words; these are the last sessions.\n"
        "0 of 2 sessions; terms used: kubernetes.\n"
    )
    assert here("sessions", "search", "kubernetes", "--json").out == "[]\n"


def test_an_option_that_is_no_date_names_what_is_one(here: Here) -> None:
    done = here("sessions", "search", "x", "--since", "sometime")
    assert (done.code, "--since 'sometime' is no date" in done.err) == (2, True)


async def test_conversations_are_read_from_a_pipe(file: Path, home: Path) -> None:
    for name in ("-", "/dev/stdin"):
        done = await hermes("sessions", "import", name, stdin=file.read_bytes())
        assert done.code == 0, done.err
    assert done.err == "Took in 0 messages of 2 sessions; 4 were there already.\n"


def test_standard_input_is_named_in_what_is_wrong_with_it(here: Here) -> None:
    done = here("sessions", "import", "-", stdin='{"role": "user", "content": "x"}\nno json\n')
    assert done.code == 0
    assert "standard input, line 2: is no JSON" in done.err


def test_elements_of_a_list_are_named_by_the_line_they_begin_in(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('\n[\n  {"role": "user",\n   "content": "q"},\n  7, {"role": "robot"}\n,\n8]\n')
    done = here("sessions", "import", str(path))
    assert done.err == (
        f"{path}, line 5: is no JSON object.\n"
        f"{path}, line 5: has the unknown role 'robot'.\n"
        f"{path}, line 7: is no JSON object.\n"
        "Took in 1 message of 1 session; 3 could not be read.\n"
    )


@pytest.mark.parametrize(("text", "line"), [("[{},\n{},\noops]", 3), ("[{},\n{}\n", 2)])
def test_a_list_that_is_broken_is_named_by_the_line_of_the_break(
    here: Here, tmp_path: Path, text: str, line: int
) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    done = here("sessions", "import", str(path))
    assert (done.code, f"{path}, line {line}: is no JSON: " in done.err) == (1, True)


def test_pictures_that_are_not_kept_are_named(here: Here, tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    content = [{"type": "text", "text": "What is this?"}, picture, picture]
    path = tmp_path / "talk.jsonl"
    path.write_bytes(msgspec.json.encode({"messages": [{"role": "user", "content": content}]}))
    done = here("sessions", "import", str(path))
    assert done.err == "Took in 1 message of 1 session; 2 left out (image).\n"


def test_a_damaged_message_costs_an_export_that_message_only(
    here: Here, file: Path, home: Path, tmp_path: Path
) -> None:
    here("sessions", "import", str(file))
    with closing(sqlite3.connect(home / "hermes.db")) as database, database:
        database.execute("UPDATE messages SET layout = '[oops' WHERE id = 3")
        database.execute("UPDATE messages SET text = CAST(x'ff' AS TEXT) WHERE id = 1")
    done = here("sessions", "export")
    assert (done.code, len(done.out.splitlines())) == (1, 2)
    assert ": Message 1 is damaged: Could not decode" in done.err
    assert ": Message 3 is damaged: JSON is malformed" in done.err
    assert "2 damaged messages could not be exported; all others were." in done.err
    copy = tmp_path / "copy.jsonl"
    assert here("sessions", "export", "--to", str(copy)).code == 1
    assert copy.read_text("utf-8") == done.out


def test_a_file_that_cannot_be_written_is_a_failure(here: Here, file: Path, tmp_path: Path) -> None:
    here("sessions", "import", str(file))
    done = here("sessions", "export", "--to", str(tmp_path / "none" / "out.jsonl"))
    assert (done.code, "cannot be written: No such file or directory." in done.err) == (1, True)


def test_a_place_that_is_not_known_is_named(here: Here, file: Path) -> None:
    here("sessions", "import", str(file))
    done = here("sessions", "search", "port", "project:nope")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("No session was begun in a folder 'nope'.\n")

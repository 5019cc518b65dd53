"""What comes in packages: hostile names, links, bombs, too much of everything."""

import gzip
import io
import os
import socket
import stat
import struct
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.skills.containers import opened
from hermes_tui.skills.packages import (
    MAX_ENTRIES,
    MAX_FILES,
    Entry,
    Package,
    path_fault,
    tree_hash,
    unpacked,
)

SKILL = b"---\nname: good\ndescription: Does it.\n---\nBody\n"


def package(path: Path, inside: str = "") -> Package:
    with opened(path) as entries:
        return unpacked(entries, inside=inside)


def zipped(path: Path, files: dict[str, bytes], **modes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            item = zipfile.ZipInfo(name)
            item.compress_type = zipfile.ZIP_DEFLATED
            item.external_attr = modes.get(name.rpartition("/")[2], stat.S_IFREG | 0o644) << 16
            archive.writestr(item, content)
    return path


def tarred(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def files(found: Package) -> dict[str, set[str]]:
    return {parcel.folder: set(parcel.files) for parcel in found.parcels}


def faults(found: Package) -> dict[str, str]:
    return {parcel.folder: " ".join(parcel.faults) for parcel in found.parcels if parcel.faults}


def test_folder_zip_and_tar_of_the_same_skill_are_the_same_tree(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_bytes(SKILL)
    (folder / "scripts" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "scripts" / "run.sh").chmod(0o755)
    content = {"good/SKILL.md": SKILL, "good/scripts/run.sh": b"#!/bin/sh\n"}
    archive = zipped(tmp_path / "a.skill", content)
    tape = tarred(tmp_path / "a.tgz", [(member(f"./{n}"), c) for n, c in content.items()])
    (one,), (two,), (three,) = (package(p).parcels for p in (folder, archive, tape))
    assert one.tree == two.tree == three.tree
    assert (one.folder, two.folder, three.folder) == ("", "good", "good")


def test_every_skill_is_found_and_files_beside_them_are_not_taken(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "a.zip",
        {"README.md": b"", "x/a/SKILL.md": SKILL, "x/a/ref.md": b"", "x/a/in/SKILL.md": SKILL,
         "b/SKILL.md": SKILL, "ab/c": b"", "__MACOSX/b/._SKILL.md": b"x"},
    )  # fmt: skip
    assert files(package(archive)) == {
        "b": {"SKILL.md"}, "x/a": {"SKILL.md", "ref.md", "in/SKILL.md"},
    }  # fmt: skip
    assert files(package(archive, "x")) == {"a": {"SKILL.md", "ref.md", "in/SKILL.md"}}
    with pytest.raises(NotFoundError, match=r"no SKILL\.md"):
        package(archive, "ab")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bad/../../../tmp/evil", "leads out"),
        ("bad/..\\..\\evil", "leads out"),
        ("bad/a\x1b[2Jb", "cannot be shown"),
        ("bad/a\u202eb", "cannot be shown"),
        ("bad/skill.MD", "one file elsewhere"),
        ("bad/SKILL.md/x", "one file elsewhere"),
        ("bad/SKILL.md", "one file elsewhere"),
        ("bad/a//b", "no plain path"),
        ("bad/con ", "no plain path"),
        ("bad/" + "x/" * 12 + "y", "too long"),
        ("bad/" + "x" * 500, "too long"),
    ],
)
def test_a_hostile_name_rules_out_its_skill_and_no_other(
    tmp_path: Path, name: str, said: str
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad/SKILL.md", SKILL)
        archive.writestr("good/SKILL.md", SKILL)
        with warnings.catch_warnings(action="ignore"):  # of a name that is there already
            archive.writestr(name, b"x")
    found = package(path)
    assert said in faults(found)["bad"]
    assert files(found) == {"bad": set(), "good": {"SKILL.md"}}


def test_names_outside_every_skill_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "a.zip", {"../../evil.sh": b"x", "/etc/evil": b"x", "good/SKILL.md": SKILL}
    )
    before = sorted(tmp_path.rglob("*"))
    found = package(archive)
    assert len(found.strays) == 2
    assert "evil.sh" in found.strays[0]
    assert files(found) == {"good": {"SKILL.md"}}
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.FIFOTYPE, "is a device"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
    ],
)
def test_links_and_devices_in_a_tar_rule_out_their_skill(
    tmp_path: Path, kind: bytes, said: str
) -> None:
    path = tarred(
        tmp_path / "a.tar.gz",
        [(member("bad/SKILL.md"), SKILL), (member("bad/x", kind, "/etc/passwd"), b""),
         (member("good/SKILL.md"), SKILL)],
    )  # fmt: skip
    found = package(path)
    assert said in faults(found)["bad"]
    assert files(found)["good"] == {"SKILL.md"}


def test_links_in_a_zip_and_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    archive = zipped(
        tmp_path / "a.zip", {"bad/SKILL.md": SKILL, "bad/link": b"/etc/passwd"},
        link=stat.S_IFLNK | 0o777,
    )  # fmt: skip
    assert "is a link" in faults(package(archive))["bad"]
    folder = tmp_path / "all"
    for name in ("bad", "good", "dev"):
        (folder / name).mkdir(parents=True)
        (folder / name / "SKILL.md").write_bytes(SKILL)
    (folder / "bad" / "link").symlink_to(secret)
    (folder / "good" / ".git").mkdir()
    (folder / "good" / ".git" / "config").write_text("[core]")
    os.mkfifo(folder / "dev" / "pipe")
    found = package(folder)
    assert faults(found).keys() == {"bad", "dev"}
    assert files(found)["good"] == {"SKILL.md"}


def test_a_socket_in_a_folder_is_a_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "SKILL.md").write_bytes(SKILL)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert "is a device" in faults(package(tmp_path))[""]


def test_hidden_files_are_left_out_and_named(tmp_path: Path) -> None:
    archive = zipped(
        tmp_path / "a.zip",
        {"SKILL.md": SKILL, ".gitattributes": b"* filter=x", ".git/hooks/pre-commit": b"#!",
         ".gitmodules": b"", "scripts/__pycache__/x.pyc": b"", ".env": b""},
    )  # fmt: skip
    (parcel,) = package(archive).parcels
    assert set(parcel.files) == {"SKILL.md"}
    assert ".gitattributes" in parcel.left_out
    assert ".git/hooks/pre-commit" in parcel.left_out


def test_a_skill_of_too_many_files_or_bytes_is_refused_alone(tmp_path: Path) -> None:
    many = {f"many/{n}": b"" for n in range(MAX_FILES)} | {"many/SKILL.md": SKILL}
    archive = zipped(
        tmp_path / "a.zip",
        many | {"large/SKILL.md": SKILL, "large/bomb": bytes(300 * 2**20), "ok/SKILL.md": SKILL},
    )
    assert archive.stat().st_size < 2**20
    found = package(archive)
    assert "more than 500 files" in faults(found)["many"]
    assert "more than 5 MB" in faults(found)["large"]
    assert files(found)["ok"] == {"SKILL.md"}


def test_a_hundred_thousand_entries_stop_early(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(MAX_ENTRIES + 1):
            archive.writestr(f"good/{number}", b"")
    with pytest.raises(ConfigError, match="more than 20,000 files"):
        package(path)
    tape = tmp_path / "a.tgz"
    with tarfile.open(tape, "w:gz") as archive:
        for number in range(MAX_ENTRIES + 1):
            archive.addfile(member(f"good/{number}"))
    with pytest.raises(ConfigError, match="more than 20,000 files"):
        package(tape)


def test_a_zip_that_lies_about_its_list_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"SKILL.md": SKILL})
    content = path.read_bytes()
    end = content.rfind(b"PK\x05\x06")
    long = content[: end + 12] + struct.pack("<I", 500_000_000) + content[end + 16 :]
    path.write_bytes(long)
    with pytest.raises(ConfigError, match="more than 20,000"):
        package(path)
    path.write_bytes(content[:end] + b"PK\x06\x07" + bytes(16) + content[end:])
    with pytest.raises(ConfigError, match="more than 20,000"):
        package(path)


def test_a_tar_bomb_stops_at_what_a_package_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with (
        gzip.open(path, "wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        bomb = member("good/bomb")
        bomb.size = 200 * 2**20
        archive.addfile(bomb, io.BytesIO(bytes(bomb.size)))
    with pytest.raises(ConfigError, match="unpacks to more than 100 MB"):
        package(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_unpacks_all_at_once_is_not_taken(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("SKILL.md", SKILL)
    assert "not taken" in faults(package(path))[""]


def test_damaged_and_foreign_files_say_so(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"SKILL.md": SKILL * 20, "b": b"x" * 999})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match="damaged"):
        package(path)
    path.write_bytes(content.replace(content[60:64], b"\xff\xff\xff\xff", 1))
    assert "cannot be read" in " ".join(faults(package(path)).values())
    for start in (b"", b"Rar!\x1a\x07", b"#!/bin/sh\n", b"\x7fELF"):
        path.write_bytes(start)
        with pytest.raises(ConfigError, match="neither a zip nor"):
            package(path)
    path.write_bytes(b"\x1f\x8b" + b"x" * 100)
    with pytest.raises(ConfigError, match="damaged"):
        package(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        package(tmp_path / "missing.zip")


@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"]))
def test_any_bytes_are_a_package_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.zip"
    path.write_bytes(start + content)
    with pytest.raises(HermesError):
        package(path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_a_tar_changed_anywhere_is_a_package_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, at: int, other: bytes
) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for made in (member("a/SKILL.md"), member("a/ü" + "x" * 120)):
            made.size = len(SKILL)
            archive.addfile(made, io.BytesIO(SKILL))
    content = bytearray(raw.getvalue())
    content[at * 8 : at * 8 + len(other)] = other
    path = tmp_path_factory.getbasetemp() / "b.tgz"
    path.write_bytes(gzip.compress(content, 1))
    try:
        found = package(path)
    except HermesError:
        return
    assert all(path_fault(name) == "" for one in found.parcels for name in one.files)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_a_zip_changed_anywhere_never_yields_an_unsafe_name(
    tmp_path_factory: pytest.TempPathFactory, at: int, other: bytes
) -> None:
    path = zipped(tmp_path_factory.getbasetemp() / "b.zip", {"a/SKILL.md": SKILL, "a/b/c": b"x"})
    content = bytearray(path.read_bytes())
    content[at : at + len(other)] = other
    path.write_bytes(content)
    try:
        found = package(path)
    except HermesError:
        return
    for parcel in found.parcels:
        assert all(path_fault(name) == "" for name in parcel.files)


PATHS = st.lists(st.text(st.sampled_from("aAßﬁ./\\~ ..\n\u202e:"), max_size=6), max_size=5).map(
    "/".join
)


@given(st.lists(PATHS, max_size=12))
def test_no_list_of_names_gets_a_file_out_of_its_folder(names: list[str]) -> None:
    entries = [Entry("s/SKILL.md", "file", lambda _: SKILL)]
    entries += [Entry(f"s/{name}", "file", lambda _: b"x") for name in names]
    root = Path("/quarantine/s")
    for parcel in unpacked(entries).parcels:
        kept = [Path(os.path.normpath(root / parcel.folder / name)) for name in parcel.files]
        assert all(path.is_relative_to(root) for path in kept)
        assert len({str(path).casefold() for path in kept}) == len(kept)


@given(
    st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=4),
    st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=4),
)
def test_only_the_same_files_have_the_same_hash(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (tree_hash(one) == tree_hash(other)) == (one == other)
    assert tree_hash(one) == tree_hash(dict(reversed(one.items())))


def test_a_folder_of_a_hundred_thousand_files_stops_early(tmp_path: Path) -> None:
    for number in range(MAX_ENTRIES + 1):
        os.close(os.open(tmp_path / str(number), os.O_CREAT))
    started = time.monotonic()
    with pytest.raises(ConfigError, match="more than 20,000 files"):
        package(tmp_path)
    assert time.monotonic() - started < 10

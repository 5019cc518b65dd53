from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.memory.layout import Content, joined, one_entry, parse

MARKED = st.lists(st.sampled_from(["<" * 7, "=" * 7, ">" * 7, "|" * 7, "§", " ", "\n", "\r", "a"]))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | MARKED.map("".join)


@given(st.lists(TEXTS.map(one_entry).filter(bool), max_size=6))
def test_entries_are_read_back_as_they_were_written(entries: list[str]) -> None:
    once = parse(f"{joined(entries)}\n".encode())
    assert parse(f"{joined(once.entries)}\n".encode()).entries == once.entries
    if not any("\ufeff" in entry for entry in entries):
        assert once == Content(tuple(entries))


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_can_be_read_and_written_again(raw: bytes) -> None:
    content = parse(raw)
    again = parse(joined(content.entries).encode())
    assert again.problems == ()
    assert parse(joined(again.entries).encode()) == again


def test_separators_may_have_blanks_and_any_line_ends() -> None:
    assert parse(b"\xef\xbb\xbfone\r\n \xc2\xa7 \r\ntwo\r\non two lines\r\n\xc2\xa7").entries == (
        "one",
        "two\non two lines",
    )


def test_a_section_sign_within_a_line_separates_nothing() -> None:
    assert parse("§ 5 applies\n§\nnext".encode()).entries == ("§ 5 applies", "next")
    assert one_entry("a\n§\nb § 5\n") == "a\n\nb § 5"


def test_what_looks_like_a_merge_marker_is_kept_as_words() -> None:
    text = "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> main"
    entry = one_entry(text)
    assert entry == "`<<<<<<< HEAD`\nours\n=======\ntheirs\n`>>>>>>> main`"
    assert parse(joined(["first", entry]).encode()) == Content(("first", entry))
    assert one_entry(entry) == entry


def test_both_sides_of_a_merge_conflict_are_read_once() -> None:
    content = parse(
        "same\n§\n<<<<<<< HEAD\nport 1\n§\nboth\n||||||| base\nold\n=======\nport 2\n§\nboth\n"
        ">>>>>>> theirs\n§\nlast\n".encode()
    )
    assert content.entries == ("same", "port 1", "both", "port 2", "last")
    assert content.problems == ("holds merge markers; what stands on both sides is read",)


def test_a_stray_marker_separates() -> None:
    assert parse(b"one\n>>>>>>> x\ntwo\n").entries == ("one", "two")


@pytest.mark.parametrize(
    ("raw", "entry"),
    [(b"caf\xe9", "caf\ufffd"), ("naïve".encode("utf-16"), "naïve")],
)
def test_another_encoding_is_read_and_said(raw: bytes, entry: str) -> None:
    content = parse(raw)
    assert content.entries == (entry,)
    assert len(content.problems) == 1


def test_conflicts_that_do_not_end_are_read_in_no_time() -> None:
    began = monotonic()
    parse(b"<<<<<<< a\nx\n=======\n" * 4_000)
    assert monotonic() - began < 5


def test_a_conflict_that_does_not_end_does_not_hide_the_next() -> None:
    raw = b"<<<<<<< a\none\n<<<<<<< b\ntwo\n||||||| base\nold\n=======\nthree\n>>>>>>> c\nfour\n"
    assert parse(raw).entries == ("one", "two", "three", "four")

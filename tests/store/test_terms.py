import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.store.excerpts import EXCERPT_CHARS, Matcher
from hermes_tui.store.terms import MAX_TERMS, parse
from hermes_tui.store.words import folded, root, stem


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("docker build", ["docker", "build"]),
        ("When did we move the server?", ["move", "server"]),
        ("what's new", ["new"]),
        ("the who", ["the", "who"]),
        ('"the who" live', ['"the who"', "live"]),
        ("“smart quotes” don\u2019t fail", ['"smart quotes"', "fail"]),
        ("deploy* d* *", ["deploy*", "d"]),
        ("top.txt, (foo_bar)", ["top.txt", "foo_bar"]),
        ("user -node NOT x OR y AND z", ["user", "node", "x", "y", "z"]),
        ("Python python PYTHON", ["Python"]),
        ('5" wide', ["5", "wide"]),
        ('x "" y', ["x", "y"]),
        ("数据库", ["数据库"]),
        ("用python写数据库迁移", ["用", "python", "写数", "数据", "据库", "库迁", "迁移"]),
        ("?!'/@#+$%=,;&|[<~\\`\0", []),
        ("", []),
    ],
)
def test_a_query_is_taken_apart_as_meant(query: str, terms: list[str]) -> None:
    assert [str(term) for term in parse(query).kept] == terms


def test_dropped_words_are_named() -> None:
    assert parse("where is the parser").dropped == ("where", "is", "the")


def test_an_endless_query_is_cut_short() -> None:
    assert len(parse(" ".join(f"w{number}" for number in range(9999))).kept) == MAX_TERMS


@given(st.text())
def test_folding_keeps_every_character_in_its_place(text: str) -> None:
    assert len(folded(text)) == len(text)


@given(st.text("abdegilnrsyz", min_size=1), st.sampled_from(["", "s", "es", "ed", "ing", "ies"]))
def test_a_word_begins_with_its_root(beginning: str, ending: str) -> None:
    word = beginning + ending
    assert word.startswith(root(word))
    assert stem(word)


@pytest.mark.parametrize(
    ("query", "text", "excerpt"),
    [
        ("deploy", "We deployed it; deploying again.", "We «deployed» it; «deploying» again."),
        ("cat", "category cat concat", "category «cat» concat"),
        ("queries", "One query only", "One «query» only"),
        ("run", "running runs rune", "«running» «runs» «rune»"),
        ("cafe", "Ein Café\n\tam  Eck", "Ein «Café» am Eck"),
        ("depl*", "undeploy deployment", "undeploy «deployment»"),
        ('"error handler"', "handler error, error-handler", "handler error, «error-handler»"),
        ("foo_bar", "x foo_bar y", "x «foo_bar» y"),
        ("数据库", "把数据库迁移", "把«数据库»迁移"),
        ("python", "用python写", "用«python»写"),
        ("nothing", "not here", "not here"),
    ],
)
def test_matches_are_marked(query: str, text: str, excerpt: str) -> None:
    assert Matcher(parse(query).kept).excerpt(text) == excerpt


def test_an_excerpt_of_a_long_text_surrounds_the_first_match() -> None:
    text = "before " * 100 + "needle " + "after " * 100
    excerpt = Matcher(parse("needle").kept).excerpt(text)
    assert excerpt.startswith("…before")
    assert excerpt.endswith("…")
    assert "before «needle» after" in excerpt
    assert len(excerpt) <= EXCERPT_CHARS + 4


@given(st.text(), st.text())
def test_an_excerpt_can_be_made_of_anything(query: str, text: str) -> None:
    excerpt = Matcher(parse(query).kept).excerpt(text)
    assert "\n" not in excerpt


@given(st.text("abc -_.*\"数据é'", min_size=1))
def test_a_query_finds_itself(query: str) -> None:
    terms = parse(query).kept
    found = {term for _, _, term in Matcher(terms).matches(query)}
    assert bool(found) == bool(terms)

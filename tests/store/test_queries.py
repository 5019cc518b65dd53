from datetime import UTC, datetime

from hermes_tui.store.queries import read_query

NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)


def test_words_that_ask_for_everything_are_left_out_beside_a_date() -> None:
    query = read_query("what did we talk about last week", now=NOW, zone=UTC)
    assert query.asks_for_all
    assert query.terms.dropped == ("what", "did", "we", "about", "talk")
    assert not read_query("what did we talk about", now=NOW, zone=UTC).asks_for_all
    assert not read_query('"talk" last week', now=NOW, zone=UTC).asks_for_all


def test_filters_within_quotes_are_words() -> None:
    query = read_query('"role:user" since:2026-05-01 until:sometime', now=NOW, zone=UTC)
    assert query.role is None
    assert query.after == datetime(2026, 5, 1, tzinfo=UTC)
    assert [str(term) for term in query.terms.kept] == ['"role:user"', "until:sometime"]

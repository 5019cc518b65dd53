import pytest

from hermes_tui.memory.subjects import are_near_duplicates, contradiction, supersedes


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("The API port is 9000", "The API port is 8000"),
        ("API port: 9000", "The API port is 8000."),
        ("Staging runs on 10.0.0.2", "staging runs on 10.0.0.9"),
        ("The docs are at https://docs.example.com/v2", "Docs are at https://docs.example.com/v1"),
        ("Release branch is release/2.4", "The release branch is release/2.3"),
        ("The cache lives in /srv/new", "The cache lives in /var/cache/app"),
    ],
)
def test_another_figure_for_the_same_subject_supersedes(new: str, old: str) -> None:
    assert supersedes(new, old)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("Server 2 is at 10.0.0.2", "Server 1 is at 10.0.0.1"),
        ("The API port is 9000", "The database port is 5432"),
        ("The API is fast", "The API is on port 8000"),
        ("The user is 40", "The user is from Bern, 3012"),
        ("The API port is not 8000", "The API port is 9000"),
        ("Anna is 30 years old", "Anna is in room 12"),
        ("Likes tea", "Likes coffee"),
        ("The timeout is 30 s for uploads", "The timeout is 5 s for downloads"),
    ],
)
def test_two_things_that_may_both_be_true_are_left_alone(new: str, old: str) -> None:
    assert not supersedes(new, old)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Prefers tabs", "Prefers spaces"),
        ("Uses pip for packages", "Uses uv for packages"),
        ("The database is Postgres", "The database is MySQL"),
        ("The build server is mars", "The build server is venus"),
        ("Deploys on Fridays", "Never deploys on Fridays"),
        ("The office language is German", "The office language is English"),
    ],
)
def test_contradictions_are_found_in_either_order(one: str, other: str) -> None:
    assert contradiction(one, other)
    assert contradiction(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Prefers tabs in Go", "Prefers spaces in Python"),
        ("The user is vegetarian", "The user is from Bern"),
        ("Uses uv", "Uses pytest"),
        ("Does not like surprises", "Runs on Debian"),
        ("The repo is big", "The repo is on GitHub"),
        ("Drinks tea", "Drinks tea."),
    ],
)
def test_what_only_looks_alike_is_no_contradiction(one: str, other: str) -> None:
    assert not contradiction(one, other)


def test_near_duplicates_have_the_same_words_figures_and_polarity() -> None:
    assert are_near_duplicates("The CI uses Debian 12.", "CI uses Debian 12")
    assert not are_near_duplicates("The CI uses Debian 12.", "The CI uses Debian 13.")
    assert not are_near_duplicates(
        "Ask before pushing code to main", "Don't ask before pushing code to main"
    )
    assert not are_near_duplicates("Likes tea", "Likes coffee")

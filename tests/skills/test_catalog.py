from pathlib import Path

import pytest

from hermes_tui.core.skills import Found, Origin, Skill
from hermes_tui.skills.catalog import (
    CATALOG_CHARS,
    HINT_RELEVANCE,
    MAX_HINTS,
    catalog,
    hinted,
    obstacle,
)


def skill(
    name: str,
    description: str = "Does it",
    *,
    origin: Origin = "person",
    told: dict[str, str] | None = None,
) -> Skill:
    metadata = {f"hermes-{key.replace('_', '-')}": value for key, value in (told or {}).items()}
    return Skill(name, "", description, Path(name), origin, metadata)


def test_all_of_few_skills_are_listed_whole() -> None:
    text = catalog([skill("b", "x" * 900), skill("a", "Short")])
    assert text == f"- a: Short\n- b: {'x' * 900}"


@pytest.mark.parametrize("count", [100, 2_000, 20_000])
def test_many_skills_cost_the_prompt_no_more_than_few(count: int) -> None:
    skills = [skill(f"skill-{number:05}", "Does " + "something " * 20) for number in range(count)]
    text = catalog(skills)
    listed = text.count("- skill-")
    assert len(text) <= CATALOG_CHARS
    assert text.endswith(f"and {count - listed:,} more: find them with skill_search")


def test_pinned_skills_and_those_that_help_come_first() -> None:
    skills = [skill(f"skill-{number}", "x" * 200) for number in range(200)]
    skills += [skill("zz-pinned", told={"pinned": "true"}), skill("zz-project", origin="project")]
    text = catalog(skills, worth={"skill-177": 0.9})
    for name in ("zz-pinned", "zz-project", "skill-177"):
        assert f"- {name}: " in text


@pytest.mark.parametrize(
    ("told", "toolsets", "expected"),
    [
        ({}, (), ""),
        ({"requires_toolsets": "terminal web"}, ("terminal",), "It needs web"),
        ({"requires_toolsets": "terminal web"}, ("terminal", "web"), ""),
        ({"fallback_for_toolsets": "web"}, ("terminal",), ""),
        ({"fallback_for_toolsets": "web"}, ("terminal", "web"), "It stands in for web"),
        ({"platforms": "linux, macos"}, (), ""),
        ({"platforms": "windows"}, (), "It is for windows only"),
    ],
)
def test_a_skill_is_usable_where_what_it_needs_is_there(
    told: dict[str, str], toolsets: tuple[str, ...], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert obstacle(skill("s", told=told), toolsets).startswith(expected)
    assert bool(obstacle(skill("s", told=told), toolsets)) == bool(expected)


def test_only_relevant_skills_are_hinted_at() -> None:
    skills = {name: skill(name) for name in "abcdef"}
    found = [Found(name, 9.0, HINT_RELEVANCE + 1) for name in "fedcb"]
    assert [one.name for one in hinted(found, skills)] == list("fed")[:MAX_HINTS]
    assert hinted([Found("a", 9.0, HINT_RELEVANCE - 0.1)], skills) == []

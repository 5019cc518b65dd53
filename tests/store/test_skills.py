from pathlib import Path

import pytest

from hermes_tui.core.skills import Skill
from hermes_tui.store.store import Store

SKILLS = {
    "git-bisect": "Find the commit that introduced a bug by binary search through the history.",
    "disk-full": "Find what fills a disk and free space without breaking running services.",
    "slow-query": "Make a slow SQL query fast with EXPLAIN and the right index.",
    "log-triage": "Group errors in log files and find when they began.",
}


def skill(name: str, description: str, stamp: str = "1") -> Skill:
    return Skill(name, "", description, Path("skills", name), stamp=stamp)


def shelf() -> list[Skill]:
    return [skill(name, description) for name, description in SKILLS.items()]


async def names(store: Store, words: str) -> list[str]:
    return [found.name for found in await store.skill_words.find(words)]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("which commit broke the tests?", "git-bisect"),
        ("the server's disk is full", "disk-full"),
        ("this query is too slow", "slow-query"),
        ("errors in the logs since yesterday", "log-triage"),
    ],
)
async def test_a_task_finds_its_skill(store: Store, words: str, first: str) -> None:
    await store.skill_words.sync(shelf(), lambda _skill: "")
    assert (await names(store, words))[0] == first


async def test_a_request_about_something_else_is_less_relevant(store: Store) -> None:
    await store.skill_words.sync(shelf(), lambda _skill: "")
    (fitting, *_) = await store.skill_words.find("free space on a full disk")
    unfitting = await store.skill_words.find(
        "write a poem for the birthday of my grandmother who likes long walks and a full garden"
    )
    assert not unfitting or unfitting[0].relevance < fitting.relevance / 4


async def test_changed_and_deleted_skills_leave_nothing_behind(store: Store) -> None:
    read: list[str] = []

    def body(skill: Skill) -> str:
        read.append(skill.name)
        return ""

    await store.skill_words.sync(shelf(), body)
    read.clear()
    kept = [one for one in shelf() if one.name != "disk-full"]
    kept[0] = skill("git-bisect", "Knit a scarf.", stamp="2")
    await store.skill_words.sync(kept, body)
    assert read == ["git-bisect"]
    assert await names(store, "commit that introduced a bug") == []
    assert "disk-full" not in await names(store, "what fills a disk")
    assert await names(store, "scarf") == ["git-bisect"]


@pytest.mark.parametrize("words", ["", "?!", "the of and", '"', "日本", "'; DROP TABLE x; --"])
async def test_nothing_typed_is_an_error(store: Store, words: str) -> None:
    await store.skill_words.sync(shelf(), lambda _skill: "")
    assert await names(store, words) == []


async def test_a_use_is_judged_and_judged_again(store: Store) -> None:
    uses, bisect, disk = store.skill_uses, "git-bisect", "disk-full"
    await uses.record(bisect, version=1, session="s1", how="loaded")
    await uses.record(bisect, version=1, session="s1", how="loaded")
    await uses.record(disk, version=2, session="s1", how="hinted")
    await uses.record(disk, version=2, session="s2", how="loaded")
    (first, _) = await uses.of_session("s1")
    await uses.judge(first.id, "verified", "pytest passed")
    assert [(use.outcome, use.note) for use in await uses.of(bisect)] == [
        ("verified", "pytest passed")
    ]
    await uses.record(bisect, version=1, session="s1", how="loaded")  # another task
    await uses.judge(first.id, "correction", "wrong branch")
    assert [use.outcome for use in await uses.of(bisect)] == ["correction", None]
    assert [use.outcome for use in (await uses.all())["disk-full"]] == [None, None]


async def test_only_one_takes_what_was_counted(path: Path) -> None:
    async with Store.open(path) as one, Store.open(path) as other:
        for _ in range(15):
            await one.skill_uses.count("tasks")
        assert await one.skill_uses.take("tasks", 15)
        assert not await other.skill_uses.take("tasks", 15)
        assert await other.skill_uses.count("tasks") == 1

"""The figures of skills: many of them in the prompt, found, audited, versioned.

    just bench skills [--quick]

2,000 skills: those that came with Hermes, and made ones about other tools in the same words.
How well a task finds its skill is measured on sentences of `bench/skill_requests.txt`, one a
line as `skill<TAB>request`; nothing in a skill was written to fit them.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import anyio

from bench import skill_audit, skill_history
from bench.kernel import row
from hermes_tui.skills.catalog import HINT_RELEVANCE, catalog
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.roots import bundled
from hermes_tui.skills.skill import skill_text
from hermes_tui.skills.skills import body_of
from hermes_tui.store.store import Store

COUNT = 2_000
REQUESTS = Path(__file__).with_name("skill_requests.txt")
NONE = "-"
"""In place of a skill: no skill fits the request."""

VERBS = {
    "migrate": "Move {thing} to a new version of {tool} without losing data",
    "tune": "Make {thing} in {tool} faster by measuring first",
    "restore": "Bring {thing} of {tool} back from a copy after a mistake",
    "audit": "List who may change {thing} in {tool} and what they changed",
    "monitor": "Watch {thing} in {tool} and raise an alarm when it grows",
    "document": "Describe {thing} of {tool} for the next person on call",
    "upgrade": "Bring {tool} up to date and check {thing} afterwards",
    "split": "Cut {thing} in {tool} into smaller parts that can be worked on alone",
    "mock": "Stand in for {thing} of {tool} in tests",
    "import": "Load {thing} into {tool} from files of another program",
}
TOOLS = (
    "kafka", "redis", "rabbitmq", "terraform", "ansible", "kubernetes", "jenkins", "grafana",
    "prometheus", "elasticsearch", "cassandra", "spark", "airflow", "dbt", "snowflake", "figma",
    "blender", "unity", "godot", "arduino",
)  # fmt: skip
THINGS = (
    "queues", "dashboards", "pipelines", "credentials", "schemas", "textures", "playbooks",
    "charts", "partitions", "snapshots",
)  # fmt: skip


def make(folder: Path, count: int) -> None:
    """The bundled skills and as many made ones as it takes."""
    shutil.copytree(bundled(), folder / "with-hermes")
    left = count - len(list(folder.glob("**/SKILL.md")))
    chance = Random(5)
    made = [(verb, tool, thing) for thing in THINGS for tool in TOOLS for verb in VERBS]
    for verb, tool, thing in made[:left]:
        name = f"{tool}-{verb}-{thing}"
        description = VERBS[verb].format(tool=tool, thing=thing)
        steps = "\n".join(
            f"{number}. {chance.choice(list(VERBS)).capitalize()} {chance.choice(THINGS)} "
            f"with `{tool} {chance.choice(list(VERBS))} --{chance.choice(THINGS)}`."
            for number in range(1, 13)
        )
        target = folder / tool / name
        target.mkdir(parents=True)
        text = skill_text(
            name,
            f"{description}. Use when {tool} {thing} are the trouble.",
            f"## Steps\n\n{steps}\n\n## Verify\n\nCheck that {thing} are there.\n",
        )
        (target / "SKILL.md").write_text(text, "utf-8")


async def finding(folder: Path, home: Path) -> None:
    """Loading, the prompt, and which skill a request finds."""
    library = Library([Root(folder, "bundled")], cache=home / "heads")
    started = time.perf_counter()
    shelf = library.load()
    row(f"{len(shelf.skills):,} skills: first load", _ms(time.perf_counter() - started), "-")
    warm: list[float] = []
    for _ in range(7):
        started = time.perf_counter()
        Library([Root(folder, "bundled")], cache=home / "heads").load()
        warm.append(time.perf_counter() - started)
    row("  load again, in a new process's stead", _ms(statistics.median(warm)), "<= 150 ms")
    text = catalog(shelf.skills)
    row("  in the prompt, at four characters a token", f"{len(text) // 4:,}", "<= 2,500 tokens")
    async with Store.open(home / "hermes.db") as store:
        started = time.perf_counter()
        await store.skill_words.sync(shelf.skills, body_of)
        row("  index made anew", _ms(time.perf_counter() - started), "-")
        await quality(store)


async def quality(store: Store) -> None:
    places: list[int] = []
    took: list[float] = []
    fitting: list[float] = []
    unfitting: list[float] = []
    for skill, request in requests():
        started = time.perf_counter()
        found = await store.skill_words.find(request, limit=10)
        took.append(time.perf_counter() - started)
        names = [one.name for one in found]
        if skill == NONE:
            unfitting.append(found[0].relevance if found else 0.0)
            continue
        places.append(names.index(skill) if skill in names else 99)
        fitting.append(next((one.relevance for one in found if one.name == skill), 0.0))
    row(f"finding, {len(places)} requests: p50", _ms(statistics.median(took)), "<= 5 ms")
    for most in (1, 5, 10):
        share = sum(place < most for place in places) / len(places)
        row(f"  R@{most}", f"{share:.2f}", ">= 0.88" if most == 5 else "-")
    row("  a hint where one fits", _share(fitting), "-")
    row("  a hint where none does", _share(unfitting), "-")


def requests() -> list[tuple[str, str]]:
    lines = REQUESTS.read_text("utf-8").splitlines()
    pairs = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
    return [(skill, request) for skill, request in pairs]


def _share(relevances: Sequence[float]) -> str:
    hits = sum(one >= HINT_RELEVANCE for one in relevances)
    return f"{hits} of {len(relevances)}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer skills and kills")
    is_quick = parser.parse_args().quick
    count = COUNT // 10 if is_quick else COUNT
    print(f"load {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        skills, home = Path(folder, "skills"), Path(folder, "home")
        home.mkdir()
        make(skills, count)
        anyio.run(finding, skills, home)
        anyio.run(skill_audit.measure, skills, home)
        skill_history.build(Path(folder, "versioned"))
        anyio.run(skill_history.measure, Path(folder, "versioned"))
    skill_history.writers()
    skill_history.kills(2 if is_quick else 20)


if __name__ == "__main__":
    main()

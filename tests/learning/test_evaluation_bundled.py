"""Tasks that come with bundled skills: they can be done, and not passed by doing nothing."""

import shutil
import subprocess
from pathlib import Path

import anyio
import pytest
from hermes_environments.local import LocalEnvironment

from hermes_tui.core.environment import CommandResult
from hermes_tui.core.messages import assistant
from hermes_tui.learning.evaluation.grading import graded
from hermes_tui.learning.evaluation.report import MIN_PAIRS
from hermes_tui.learning.evaluation.tasks import Task, lay_out, read_tasks

SKILLS = Path(__file__).parents[2] / "skills"
TASKS = [
    pytest.param(task, id=f"{file.parents[1].name}-{task.id}")
    for file in sorted(SKILLS.glob("*/*/evals/evals.json"))
    for task in read_tasks(file, skill=file.parents[1].name)
]

BISECT = """\
sh make-repo.sh {kind} && cd shop
git bisect start --term-old={old} --term-new={new} HEAD v1.0 >/dev/null
git bisect run sh -c 'sh ../check.sh; code=$?; [ $code -ne 2 ] || exit 125; exit $code' >/dev/null
git log -1 --format=%s refs/bisect/{new} > ../{file}
git bisect reset 2>/dev/null
"""
SOLUTIONS = {
    "git-bisect-culprit-1": BISECT.format(kind="broken", old="good", new="bad", file="culprit.txt"),
    "git-bisect-culprit-2": BISECT.format(
        kind="unbuildable", old="good", new="bad", file="culprit.txt"
    ),
    "git-bisect-culprit-3": """\
sh make-repo.sh fixed && cd shop
git bisect start --term-old=broken --term-new=mended HEAD v1.0 >/dev/null
git bisect run sh -c '! sh ../check.sh' >/dev/null
git log -1 --format=%s refs/bisect/mended > ../fixed-by.txt
git bisect reset 2>/dev/null
""",
    "fix-text-encoding-1": """\
python3 - <<'PY'
from pathlib import Path
def mended(line):
    try: return line.encode("cp1252").decode("utf-8")
    except UnicodeError: return line
text = Path("names.csv").read_text("utf-8").splitlines()
Path("fixed.csv").write_text("".join(mended(line) + "\\n" for line in text), "utf-8")
PY
""",
    "fix-text-encoding-2": "iconv -f CP1252 -t UTF-8 offer.txt | tr -d '\\r' > offer-utf8.txt",
    "fix-text-encoding-3": """\
python3 - <<'PY'
from pathlib import Path
def read(line):
    try: return line.decode("utf-8")
    except UnicodeError: return line.decode("cp1252")
lines = Path("mixed.log").read_bytes().replace(b"\\r", b"").splitlines()
Path("clean.log").write_text("".join(read(line) + "\\n" for line in lines), "utf-8")
PY
""",
    "tabular-wrangling-1": """\
python3 - <<'PY'
import csv
from decimal import Decimal
sums = {}
for row in csv.DictReader(open("sales.csv", newline="", encoding="utf-8-sig")):
    sums[row["day"][:7]] = sums.get(row["day"][:7], 0) + Decimal(row["amount"])
out = csv.writer(open("monthly.csv", "w", newline=""))
out.writerows([("month", "total"), *sorted(sums.items())])
PY
""",
    "tabular-wrangling-2": """\
python3 - <<'PY'
import csv
known = {row["id"]: row for row in csv.DictReader(open("customers.csv", newline=""))}
out = csv.writer(open("joined.csv", "w", newline=""))
out.writerow(("order", "customer_id", "amount", "name", "zip"))
for row in csv.DictReader(open("orders.csv", newline="")):
    found = known.get(row["customer_id"], {"name": "", "zip": ""})
    out.writerow((*row.values(), found["name"], found["zip"]))
PY
""",
    "tabular-wrangling-3": """\
python3 - <<'PY'
import collections, csv, json
events = map(json.loads, open("events.jsonl"))
counts = collections.Counter(e["service"]["name"] for e in events if e["level"] == "error")
out = csv.writer(open("errors.csv", "w", newline=""))
out.writerows([("service", "errors"), *counts.most_common()])
PY
""",
}


async def passed(task: Task, folder: Path, answer: str) -> list[bool]:
    """What became of the assertions that need no model."""
    environment = LocalEnvironment(
        "local", cwd=str(folder), pass_env=(), state_dir=str(folder.parent / "state"), options={}
    )

    async def run(command: str) -> CommandResult:
        return await environment.run(command, timeout=30, keep_state=False)

    await environment.open()
    try:
        grades, _ = await graded(
            task, messages=[assistant(answer)], folder=folder, run=run, judge=None
        )
    finally:
        await environment.close()
    return [grade.passed for grade in grades if grade.passed is not None]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("task", TASKS)
async def test_doing_nothing_does_not_pass(task: Task, work: Path) -> None:
    lay_out(task, work)
    assert not all(await passed(task, work, "I would do it like this."))


@pytest.mark.parametrize("task", TASKS)
async def test_doing_it_right_passes(
    task: Task, work: Path, request: pytest.FixtureRequest
) -> None:
    if shutil.which("git") is None or shutil.which("iconv") is None:
        pytest.skip("git and iconv are needed to do the tasks")
    lay_out(task, work)
    name = request.node.callspec.id
    done = await anyio.run_process(
        ["bash", "-c", f"set -e\n{SOLUTIONS[name]}"], cwd=work, check=False, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()
    assert all(await passed(task, work, "The web service has 35."))


def test_every_bundled_skill_with_tasks_has_enough_of_them_by_default() -> None:
    files = sorted(SKILLS.glob("*/*/evals/evals.json"))
    assert len(files) >= 3
    for file in files:
        assert len(read_tasks(file, skill=file.parents[1].name)) * 3 >= MIN_PAIRS

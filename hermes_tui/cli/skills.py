"""`hermes skills`: find, write, take back and judge skills."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hermes_tui.cli.completion import (
    archived_skills,
    model_names,
    skill_categories,
    skill_names,
)

SUMMARY: tuple[tuple[tuple[str, ...], str], ...] = (
    (("list", "show", "search"), "What there is, and what one says."),
    (("new", "edit"), "Write one, or change one, in your editor."),
    (("log", "diff", "blame"), "Every version: when, by whom, why, and what changed."),
    (("rollback", "undo"), "Go back to a version; take the last change back."),
    (("archive", "restore"), "Put one away, and bring it back."),
    (("pin", "unpin"), "Keep one first and safe from pruning, or no longer."),
    (("export",), "Write one to a folder or a .zip file."),
    (("install", "update", "trust"), "Take one from elsewhere, look at it, let it run."),
    (("validate",), "Check against the standard (agentskills.io)."),
    (("analyze", "audit"), "How they have done, and what deserves mending."),
    (("eval",), "Measure whether one helps."),
    (("proposals", "conflicts"), "Changes waiting for your word; what contradicts."),
    (("prune",), "Archive what is idle and seldom helped."),
)
"""Commands that belong together, so that `--help` fits on a screen."""


class SkillsGroup(TyperGroup):
    """Lists commands that belong together on one line."""

    # Typer's Context is not public in all its versions, hence Any.
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(", ".join(names), told) for names, told in SUMMARY])


app = typer.Typer(
    cls=SkillsGroup,
    help="Find, write, take back and judge skills.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(help="A skill's name.", autocompletion=skill_names)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why, for the history.")]


@app.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Archived, shadowed and broken ones as well.")
    ] = False,
    category: Annotated[
        str, typer.Option("--category", "-c", help="Of one only.", autocompletion=skill_categories)
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List skills: version, who wrote it, state, confidence, uses, last used, description."""
    from hermes_tui.cli import skill_commands, skill_desk

    skill_desk.run(skill_commands.list_skills, everything, category, as_json)


@app.command()
def show(
    name: NameArgument,
    version: Annotated[str, typer.Option("--version", help="The text of an older one.")] = "",
    files: Annotated[bool, typer.Option("--files", help="Its other files as well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what is known of a skill, and its text."""
    from hermes_tui.cli import skill_commands, skill_desk

    skill_desk.run(skill_commands.show, name, version, files, as_json)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="What it should be about.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Find skills by words; the number is how well each fits."""
    from hermes_tui.cli import skill_commands, skill_desk

    skill_desk.run(skill_commands.search, words, limit, as_json)


@app.command()
def log(
    name: Annotated[
        str, typer.Argument(help="All when not given.", autocompletion=skill_names)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List versions, the newest first."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.log, name, limit, as_json)


@app.command()
def diff(
    name: NameArgument,
    old: Annotated[str, typer.Argument(help="The one before the newest when not given.")] = "",
    new: Annotated[str, typer.Argument(help="What is on disk when not given.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what changed between versions."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.diff, name, old, new, as_json)


@app.command()
def blame(
    name: NameArgument,
    file: Annotated[str, typer.Argument(help="One of its files.")] = "SKILL.md",
    as_json: JsonOption = False,
) -> None:
    """Print each line with the version it came with."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.blame, name, file, as_json)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="E.g. disk-full.")],
    description: Annotated[
        str, typer.Option("--description", "-d", help="What it does and when to use it.")
    ] = "",
    source: Annotated[
        str, typer.Option("--from", help="A file with its text; - for what is piped in.")
    ] = "",
    category: Annotated[
        str, typer.Option("--category", "-c", help="A folder.", autocompletion=skill_categories)
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Write a skill, from a file or in your editor."""
    from hermes_tui.cli import skill_desk, skill_writing_commands

    skill_desk.run(skill_writing_commands.new, name, description, source, category, as_json)


@app.command()
def edit(name: NameArgument, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Open a skill in your editor; what you write is checked and becomes a version."""
    from hermes_tui.cli import skill_desk, skill_writing_commands

    skill_desk.run(skill_writing_commands.edit, name, reason, as_json)


@app.command()
def pin(name: NameArgument, as_json: JsonOption = False) -> None:
    """Keep a skill first in the catalogue, and safe from pruning."""
    from hermes_tui.cli import skill_desk, skill_writing_commands

    skill_desk.run(skill_writing_commands.pin, name, True, as_json)


@app.command()
def unpin(name: NameArgument, as_json: JsonOption = False) -> None:
    """Treat a skill like the others again."""
    from hermes_tui.cli import skill_desk, skill_writing_commands

    skill_desk.run(skill_writing_commands.pin, name, False, as_json)


@app.command()
def rollback(
    name: NameArgument,
    version: Annotated[str, typer.Option("--version", help="As `hermes skills log` has it.")],
    reason: ReasonOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new version that holds exactly what an older one held."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.roll_back, name, version, reason, yes, as_json)


@app.command()
def undo(name: NameArgument, as_json: JsonOption = False) -> None:
    """Take the newest change of a skill back."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.undo, name, as_json)


@app.command()
def archive(name: NameArgument, reason: ReasonOption = "", as_json: JsonOption = False) -> None:
    """Put a skill away; `restore` brings it back."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.archive, name, reason, as_json)


@app.command()
def restore(
    name: Annotated[
        str, typer.Argument(help="An archived skill's name.", autocompletion=archived_skills)
    ],
    as_json: JsonOption = False,
) -> None:
    """Bring an archived or deleted skill back."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.restore, name, as_json)


@app.command()
def export(
    name: NameArgument,
    target: Annotated[
        str, typer.Argument(help="A folder, or a .zip, .skill or .tar.gz file.")
    ] = "",
    version: Annotated[str, typer.Option("--version", help="An older one.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write a skill to a folder or an archive."""
    from hermes_tui.cli import skill_desk, skill_history_commands

    skill_desk.run(skill_history_commands.export, name, target, version, as_json)


@app.command()
def install(
    source: Annotated[
        str, typer.Argument(help="A folder, an archive, a git repository, or a web address.")
    ],
    name: Annotated[str, typer.Option("--name", help="Another name for it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look at it.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take skills from elsewhere, once you have seen what is in them."""
    from hermes_tui.cli import skill_desk, skill_install_commands

    skill_desk.run(skill_install_commands.install, source, name, yes, dry_run, as_json)


@app.command()
def update(
    names: Annotated[
        list[str] | None, typer.Argument(help="All when not given.", autocompletion=skill_names)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Look where skills were installed from, and take what changed there."""
    from hermes_tui.cli import skill_desk, skill_install_commands

    skill_desk.run(skill_install_commands.update, names or [], yes, dry_run, as_json)


@app.command()
def trust(
    name: Annotated[
        str,
        typer.Argument(
            help="A skill; with --project a folder, or where you are.", autocompletion=skill_names
        ),
    ] = "",
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust it no longer.")] = False,
    project: Annotated[
        bool, typer.Option("--project", help="Read the skills a project brings.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a skill run the commands in its text and its scripts, until it changes."""
    from hermes_tui.cli import skill_desk
    from hermes_tui.cli import skill_trust_commands as commands
    from hermes_tui.core.errors import ConfigError

    if not name and not project:
        raise ConfigError(
            "Nothing to trust was named.", hint="Name a skill, or pass --project for a project's."
        )
    match project, revoke:
        case True, True:
            skill_desk.run(commands.revoke_project, name, as_json)
        case True, False:
            skill_desk.run(commands.trust_project, name, as_json)
        case False, True:
            skill_desk.run(commands.revoke, name, as_json)
        case False, False:
            skill_desk.run(commands.trust, name, as_json)


@app.command()
def validate(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names or folders; your own when not given.", autocompletion=skill_names
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check skills against the standard (agentskills.io); ends with 1 on errors."""
    from hermes_tui.cli import skill_desk, skill_install_commands

    skill_desk.run(skill_install_commands.check, targets or [], as_json)


@app.command()
def analyze(as_json: JsonOption = False) -> None:
    """Tell how every skill has done, what deserves mending, and what may go."""
    from hermes_tui.cli import skill_desk, skill_review_commands

    skill_desk.run(skill_review_commands.analyze, as_json)


@app.command()
def prune(
    threshold: Annotated[str, typer.Option(help="Idle for how long, e.g. 90d or 12w.")] = "90d",
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Below what.")] = 0.5,
    include_hub: Annotated[
        bool, typer.Option("--include-hub", help="Installed ones as well.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Archive what Hermes wrote, nobody used for long and seldom helped."""
    from hermes_tui.cli import skill_desk, skill_review_commands

    wanted = skill_review_commands.Pruning(
        threshold=threshold, confidence=confidence, with_hub=include_hub, dry_run=dry_run, yes=yes,
        as_json=as_json,
    )  # fmt: skip
    skill_desk.run(skill_review_commands.prune, wanted)


@app.command()
def audit(as_json: JsonOption = False) -> None:
    """Look over all skills now, and write a report of what deserves mending."""
    from hermes_tui.cli import skill_desk, skill_proposal_commands

    skill_desk.run(skill_proposal_commands.audit, as_json)


@app.command()
def conflicts(
    model: Annotated[
        bool, typer.Option("--model", help="Let a model judge what wording does not tell.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List skills that contradict each other or say the same."""
    from hermes_tui.cli import skill_desk, skill_proposal_commands

    skill_desk.run(skill_proposal_commands.list_conflicts, as_json, with_model=model)


def _decisions(incomplete: str) -> list[str]:
    return [word for word in ("show", "accept", "reject") if word.startswith(incomplete)]


@app.command()
def proposals(
    decision: Annotated[
        str, typer.Argument(help="show, accept or reject.", autocompletion=_decisions)
    ] = "",
    proposal: Annotated[str, typer.Argument(help="Its id, or the skill's name.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List changes that wait for your yes; show, accept or reject one."""
    from hermes_tui.cli import skill_desk
    from hermes_tui.cli import skill_proposal_commands as commands
    from hermes_tui.core.errors import ConfigError

    match decision, proposal:
        case "", _:
            skill_desk.run(commands.list_proposals, as_json)
        case "show", name if name:
            skill_desk.run(commands.show_proposal, name, as_json)
        case "accept", name if name:
            skill_desk.run(commands.accept_proposal, name, as_json)
        case "reject", name if name:
            skill_desk.run(commands.reject_proposal, name, as_json)
        case _:
            raise ConfigError(
                "A decision on a proposal needs a word and an id.",
                hint="Say show, accept or reject, and the id that `hermes skills proposals` lists.",
            )


@app.command("eval")
def eval_(
    name: NameArgument,
    runs: Annotated[int, typer.Option("--runs", "-n", min=1, help="Of each task.")] = 3,
    old: Annotated[str, typer.Option("--old", help="A version to compare with too.")] = "",
    tasks: Annotated[str, typer.Option("--tasks", help="A file, for evals/evals.json.")] = "",
    model: Annotated[
        str, typer.Option("--model", "-m", help="Another one.", autocompletion=model_names)
    ] = "",
    budget: Annotated[int, typer.Option("--budget", min=0, help="Tokens at most.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order of runs.")] = 0,
    out: Annotated[str, typer.Option("--out", help="A folder for what is measured.")] = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure whether a skill helps: its tasks with it, without it, and with an old version."""
    from hermes_tui.cli import skill_eval_commands

    request = skill_eval_commands.Request(
        skill=name, runs=runs, old=old, tasks=tasks, model=model, budget=budget, seed=seed,
        out=out, yes=yes, as_json=as_json,
    )  # fmt: skip
    raise SystemExit(skill_eval_commands.evaluate(request))

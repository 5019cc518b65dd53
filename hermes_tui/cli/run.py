"""`hermes run`: answer one prompt on stdout, then exit."""

from typing import Annotated, Never

import typer

from hermes_tui.cli import declared
from hermes_tui.cli.completion import reasoning_levels

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def run(
    prompt: Annotated[list[str] | None, typer.Argument(help="What to do; stdin is added.")] = None,
    model: declared.Model = "",
    env: declared.Env = None,
    cwd: declared.Cwd = "",
    continue_: declared.Continue = False,
    resume: declared.Resume = "",
    max_steps: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Model calls at most; 90 when not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events, one a line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the final answer.")] = False,
    usage_file: Annotated[str, typer.Option(help="Write tokens and cost here as JSON.")] = "",
    mode: declared.Mode = "",
    yes: declared.Yes = False,
    learn: Annotated[
        bool, typer.Option("--learn", help="Look back for lasting facts now, not on the screen.")
    ] = False,
    reasoning: Annotated[
        str, typer.Option(help="Think off, low or high.", autocompletion=reasoning_levels)
    ] = "",
    record: Annotated[str, typer.Option(help="Add the model's replies to this file.")] = "",
) -> Never:
    """Answer one prompt and exit. The answer goes to stdout, everything else to stderr."""
    import anyio

    from hermes_tui.cli.one_shot import OneShot, answer
    from hermes_tui.cli.options import overrides, whole_prompt

    request = OneShot(
        prompt=whole_prompt(prompt or []),
        overrides=overrides(
            model=model, environment=env, cwd=cwd, mode=mode, yes=yes, max_steps=max_steps,
            reasoning=reasoning,
            record=record,
        ),
        resume=resume,
        continues=continue_,
        as_json=as_json,
        quiet=quiet,
        usage_file=usage_file,
        learn=learn,
    )  # fmt: skip
    raise SystemExit(anyio.run(answer, request))

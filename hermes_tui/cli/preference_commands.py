"""What `hermes memory preferences`, `prefer` and `unprefer` do."""

import os
from datetime import UTC, datetime

import anyio

from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import find_paths, shown
from hermes_tui.memory.preferences import Observed, Preferences


def show(*, as_json: bool) -> None:
    preferences = _preferences()
    seen, applied = preferences.all(), preferences.applied()
    if as_json:
        print_json({"file": str(preferences.path), "applied": applied, "observed": seen})
        return
    for key, values in sorted(seen.items()):
        print_line(key)
        for value, one in sorted(values.items(), key=lambda pair: -pair[1].count):
            mark = "●" if applied.get(key) == value else "○"
            print_line(f"  {mark} {value}  ({_told(one)})")
    if not seen:
        say("Nothing has been noticed yet. Say it with: hermes memory prefer KEY VALUE")
    else:
        say(f"● counts in new sessions. Kept in {shown(preferences.path)}.")


def prefer(key: str, value: str) -> None:
    preferences = _preferences()
    anyio.run(lambda: preferences.wish(key, value, at=datetime.now(UTC)))
    say(f"{key}: {preferences.applied()[key]}, from the next session on.")


def unprefer(key: str) -> None:
    preferences = _preferences()
    anyio.run(preferences.forget, key)
    say(f"Forgot the preference {key}.")


def _preferences() -> Preferences:
    paths = find_paths(os.environ)
    paths.create()
    config = load_config(paths, environ=os.environ)
    return Preferences(paths.preferences_dir, user=config.memory.user)


def _told(one: Observed) -> str:
    if one.is_wished:
        return "you said so"
    told = f"seen {count(one.count, 'time')} in {count(len(one.sessions), 'session')}"
    return f"{told}, {one.against} against" if one.against else told

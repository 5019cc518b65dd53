import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import Here


def test_a_preference_is_said_shown_and_forgotten(here: Here) -> None:
    assert here("memory", "preferences").out == ""
    done = here("memory", "prefer", "output_format", "short", "bullets")
    assert (done.code, "output_format: short bullets" in done.err) == (0, True)
    shown = here("memory", "preferences")
    assert "● short bullets  (you said so)" in shown.out
    assert here("memory", "unprefer", "output_format").code == 0
    assert here("memory", "preferences").out == ""


def test_a_preference_reaches_the_prompt_of_new_sessions(here: Here) -> None:
    here("memory", "prefer", "language", "German")
    assert here("run", "-q", "hi").code == 0
    with closing(sqlite3.connect(Path(os.environ["HERMES_HOME"], "hermes.db"))) as database:
        (prefix,) = database.execute("SELECT body FROM prefixes").fetchone()
    assert "# How the person likes it\\n- language: German" in prefix


def test_what_was_never_noticed_cannot_be_forgotten(here: Here) -> None:
    done = here("memory", "unprefer", "tone")
    assert (done.code, "There is no preference 'tone'." in done.err) == (1, True)


def test_a_key_that_is_none_is_refused(here: Here) -> None:
    done = here("memory", "prefer", "../x", "y")
    assert (done.code, "'../x' is no preference" in done.err) == (2, True)


def test_damaged_preferences_are_said_once_by_a_run(here: Here, home: Path) -> None:
    here("memory", "prefer", "language", "German")
    (home / "preferences" / "me.json").write_text("{oops")
    done = here("run", "--learn", "I prefer tabs over spaces.")
    assert done.err.count("me.json is damaged: ") == 1
    assert "Preferences do not count, and nothing is learnt by itself: " in done.err
    assert (home / "preferences" / "me.json").read_text() == "{oops"
    (home / "preferences" / "me.json").unlink()
    assert "I prefer tabs" in here("run", "--learn", "--continue", "hi").err

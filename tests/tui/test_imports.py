import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

LATER = {
    "docker", "git", "httpx", "litellm", "markdown_it", "paramiko", "sqlite3", "typer", "yaml",
    "pygments", "hermes_tui.runtime.runtime", "hermes_tui.store", "textual.widgets._markdown",
    "textual.widgets._data_table",
}  # fmt: skip
"""What the first paint must not wait for."""


def test_the_screen_paints_before_anything_heavy_is_imported() -> None:
    code = "import sys; import hermes_tui.tui.app; print(' '.join(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert LATER & set(ended.stdout.split()) == set()


def test_textual_is_told_the_frame_rate_before_it_is_imported() -> None:
    code = "import hermes_tui.tui.app; from textual import constants; print(constants.MAX_FPS)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ended.stdout.split() == ["120"]

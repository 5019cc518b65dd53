"""Redraw the pictures in `docs/screenshots`: the real screen and tools, the rehearsal model."""

import os
import re
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio

PICTURES = Path(__file__).parents[1] / "docs" / "screenshots"
REQUEST = "list the five largest files here, then write their names to top.txt"
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Fonts the picture would load from elsewhere; any monospaced one does."""


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder) / "home", Path(folder) / "reports"
        work.mkdir()
        os.environ |= {"HERMES_HOME": str(home), "HOME": folder}
        for name, size in (("q3.csv", 48_211), ("q2.csv", 39_870), ("notes.md", 2_114),
                           ("q1.csv", 41_006), ("plan.md", 5_320), ("todo.txt", 310)):  # fmt: skip
            (work / name).write_bytes(b"x" * size)
        await draw(work)


async def draw(work: Path) -> None:
    """Ask, approve, and keep the screen before and after the answer."""
    from hermes_tui.core.ports import Human
    from hermes_tui.runtime.runtime import Overrides, Runtime, open_runtime
    from hermes_tui.tui.app import HermesApp

    def opened(human: Human) -> AbstractAsyncContextManager[Runtime]:
        overrides = Overrides(cwd=work, model="rehearsal")
        return open_runtime(human=human, source="screen", overrides=overrides)

    app = HermesApp(opened)
    async with app.run_test(size=(150, 42)) as pilot:

        async def shows(text: str) -> None:
            with anyio.fail_after(20):
                while text not in app.export_screenshot().replace("&#160;", " "):
                    await pilot.pause(0.05)

        await shows("idle")
        await pilot.press(*REQUEST, "enter")
        await shows("deny")
        save(app.export_screenshot(title="hermes"), "approval")
        await pilot.pause(1)  # keys are not taken as an answer right away
        await pilot.press("o")
        await shows("Created top.txt")
        await shows("idle")
        save(app.export_screenshot(title="hermes"), "chat")


def save(svg: str, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / f"{name}.svg").write_text(FONTS.sub("", svg), encoding="utf-8")


if __name__ == "__main__":
    anyio.run(main)

"""The screen.

Textual reads these variables once, when it is imported, so they are set here,
before any module of this package can import it. Commands never see them: their
environment is an allow-list (`hermes_tui.core.spawn`).
"""

import os

os.environ.setdefault("TEXTUAL_FPS", "120")
if "SSH_CONNECTION" in os.environ:  # every animation frame crosses the network
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")

"""Approval modes: how much the agent may do without asking."""

from typing import Literal

from hermes_tui.config.schema import MODES, Mode
from hermes_tui.safety.risk import Risk

__all__ = ["MODES", "Decision", "Mode", "decide"]

Decision = Literal["allow", "ask", "deny"]

POLICY: dict[Risk, tuple[Decision, Decision, Decision, Decision]] = {
    #                  read-only  ask      auto-edit  full-auto
    Risk.READ:        ("allow",  "allow", "allow",   "allow"),
    Risk.WRITE:       ("deny",   "ask",   "allow",   "allow"),
    Risk.EXECUTE:     ("deny",   "ask",   "ask",     "allow"),
    Risk.OUTSIDE:     ("deny",   "ask",   "ask",     "ask"),
    Risk.HERMES:      ("deny",   "ask",   "ask",     "ask"),
    Risk.SECRETS:     ("deny",   "ask",   "ask",     "ask"),
    Risk.FORBIDDEN:   ("deny",   "deny",  "deny",    "deny"),
}  # fmt: skip


def decide(mode: Mode, risk: Risk) -> Decision:
    """What `mode` says about an action of this risk."""
    return POLICY[risk][MODES.index(mode)]

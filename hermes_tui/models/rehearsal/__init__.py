"""The built-in stand-in for a model: offline, deterministic, and no LLM."""

from hermes_tui.models.rehearsal.model import LABEL, RehearsalModel

__all__ = ["LABEL", "RehearsalModel"]

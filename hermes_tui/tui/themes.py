"""How Hermes looks: a dark and a light theme beside Textual's own."""

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="hermes-dark",
    primary="#d8a657",
    secondary="#7daea3",
    accent="#d8a657",
    foreground="#d5d8df",
    background="#0f1218",
    surface="#151922",
    panel="#1d222d",
    success="#8fb573",
    warning="#e0a458",
    error="#e07a6b",
    dark=True,
    variables={
        "muted": "#7f8898",
        "border": "#d8a657",
        "border-blurred": "#313846",
        "block-cursor-background": "#2b3242",
        "block-cursor-foreground": "#f1f2f5",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1b202b",
        "block-hover-background": "#1b202b",
        "input-selection-background": "#d8a657 30%",
        "scrollbar": "#2b3242",
        "scrollbar-hover": "#3a4356",
        "scrollbar-active": "#d8a657",
        "scrollbar-background": "#0f1218",
        "scrollbar-background-hover": "#0f1218",
        "scrollbar-background-active": "#0f1218",
        "scrollbar-corner-color": "#0f1218",
    },
)

LIGHT = Theme(
    name="hermes-light",
    primary="#8f5e00",
    secondary="#2f6f68",
    accent="#8f5e00",
    foreground="#2a2d34",
    background="#fbf9f4",
    surface="#f4f1e9",
    panel="#eae5d9",
    success="#3f7020",
    warning="#9a5b00",
    error="#b3361f",
    dark=False,
    variables={
        "muted": "#75705f",
        "border": "#8f5e00",
        "border-blurred": "#cfc8b8",
        "block-cursor-background": "#e6dfcd",
        "block-cursor-foreground": "#1d1f24",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#f0ebdf",
        "block-hover-background": "#f0ebdf",
        "input-selection-background": "#8f5e00 25%",
        "scrollbar": "#d8d1c0",
        "scrollbar-hover": "#c5bda9",
        "scrollbar-active": "#8f5e00",
        "scrollbar-background": "#fbf9f4",
        "scrollbar-background-hover": "#fbf9f4",
        "scrollbar-background-active": "#fbf9f4",
        "scrollbar-corner-color": "#fbf9f4",
    },
)

THEMES = (DARK, LIGHT)
DEFAULT = DARK.name
VARIABLES = {"muted": "#808890"}
"""Colours of ours that Textual's own themes lack."""


def theme_names() -> list[str]:
    """What `tui.theme` may be."""
    return sorted({*BUILTIN_THEMES, *(theme.name for theme in THEMES)})

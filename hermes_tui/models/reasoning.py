"""How long a model that can think thinks first, in each provider's own words."""

from typing import Any, Literal

from msgspec import Struct

Level = Literal["off", "low", "high"]


class Reasoning(Struct, frozen=True):
    """What the person asked for."""

    level: Level
    budget_tokens: int | None = None
    """Most tokens to think with, where a provider takes such a figure."""


def direct_fields(reasoning: Reasoning | None, *, provider: str) -> dict[str, Any]:
    """What to add to the body of an OpenAI-compatible request.

    OpenRouter has an object of its own; OpenAI and Ollama take `reasoning_effort`; the
    servers that render a chat template (vLLM, SGLang, llama.cpp) pass switches to it, and
    Hermes 4's template reads `thinking` where Qwen 3's reads `enable_thinking`.
    """
    if reasoning is None:
        return {}
    is_on = reasoning.level != "off"
    effort = reasoning.level if is_on else "none"
    match provider:
        case "openrouter":
            if not is_on:
                return {"reasoning": {"enabled": False}}
            if reasoning.budget_tokens:
                return {"reasoning": {"max_tokens": reasoning.budget_tokens}}
            return {"reasoning": {"effort": effort}}
        case "openai" | "ollama" | "wisgate":
            return {"reasoning_effort": effort}
        case _:
            switches = {"enable_thinking": is_on, "thinking": is_on}
            return {"chat_template_kwargs": switches} | (
                {"reasoning_effort": effort} if is_on else {}
            )


def litellm_fields(reasoning: Reasoning | None) -> dict[str, Any]:
    """What to pass to `litellm.acompletion`, which translates it for the provider."""
    if reasoning is None:
        return {}
    if reasoning.level == "off":
        return {"reasoning_effort": "none"}
    if reasoning.budget_tokens:
        return {"thinking": {"type": "enabled", "budget_tokens": reasoning.budget_tokens}}
    return {"reasoning_effort": reasoning.level}

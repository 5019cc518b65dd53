"""Which model, where it is served, and how to talk to it."""

from typing import Literal

from msgspec import Struct

from hermes_tui.models.reasoning import Reasoning

Lane = Literal["direct", "litellm"]
ToolCallFormat = Literal["native", "text"]


class Secret(str):
    """A key that does not show in reprs and tracebacks; use it like any string."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')" if self else "Secret('')"


class Target(Struct, frozen=True):
    """One model at one provider, with all that is needed to call it."""

    name: str
    """As the person writes it: `openrouter/nousresearch/hermes-4-405b`."""
    provider: str
    """The first part of `name`; errors speak of it as `title`."""
    title: str
    model: str
    """As the provider's API wants it."""
    base_url: str
    """Without a slash at its end; empty when litellm knows where to go."""
    lane: Lane = "direct"
    litellm_name: str = ""
    """The model as litellm calls it, prefix included."""
    api_key: Secret = Secret("")
    key_variable: str = ""
    """The environment variable to name when the key is missing or rejected."""
    headers: dict[str, str] = {}
    extra_body: dict[str, object] = {}
    """What this provider wants in each request besides the common fields."""
    tool_calls: ToolCallFormat = "native"
    context_window: int | None = None
    """Tokens, where configuration or the server says; None looks it up later."""
    price_name: str = ""
    """The model's row in the price map; empty when no row can be trusted."""
    reasoning: Reasoning | None = None
    """How long to think; the model's own habit when None."""
    is_free: bool = False
    """Served by this machine, so a call costs nothing."""

    @property
    def is_loopback(self) -> bool:
        return host_of(self.base_url) in {"localhost", "127.0.0.1", "[::1]"}


def host_of(url: str) -> str:
    """The host of `url`, an IPv6 address with its brackets; empty when there is none."""
    _, found, rest = url.partition("://")
    if not found:
        return ""
    authority = rest.split("/", 1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0].lower()

"""What model calls consumed."""

from msgspec import Struct


class Usage(Struct, frozen=True):
    """Tokens and money of one or more model calls; add them with `+`."""

    input_tokens: int = 0
    """Everything sent, cached or not."""
    output_tokens: int = 0
    """Everything received, reasoning included."""
    cached_tokens: int = 0
    """The part of `input_tokens` the provider read from its cache."""
    reasoning_tokens: int = 0
    """The part of `output_tokens` that was thinking."""
    cost_usd: float | None = None
    """None when nobody knows the price; never a made-up 0."""
    unpriced_calls: int = 0
    """How many of the calls summed here have no known price."""

    def __add__(self, other: "Usage") -> "Usage":
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            sum(costs) if costs else None,
            self.unpriced_calls + other.unpriced_calls,
        )

    @property
    def cost_text(self) -> str:
        """`$0.0312`, `≥ $0.0312` when some calls have no known price, or `cost unknown`."""
        if self.cost_usd is None:
            return "cost unknown" if self.unpriced_calls else "$0"
        if self.cost_usd == 0 and not self.unpriced_calls:
            return "$0"
        digits = 2 if self.cost_usd >= 1 else 4
        return f"{'≥ ' if self.unpriced_calls else ''}${self.cost_usd:.{digits}f}"


def estimated_tokens(text: str) -> int:
    """A count good enough before the provider reports one: four characters a token."""
    return len(text) // 4

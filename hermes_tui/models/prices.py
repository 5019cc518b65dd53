"""What tokens cost and how much a model can hold, from litellm's bundled price map.

The map is read as a file, without importing litellm, and only after the first
reply: it is large. Cost is the provider's own figure, else the
map's, else None; a row with price 0 proves nothing and counts as no price.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec import Struct

from hermes_tui.core.usage import Usage
from hermes_tui.models.target import Target

MAP_NAME = "model_prices_and_context_window_backup.json"


class Row(Struct):
    """What the map says about one model; prices are USD per token."""

    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    cache_read_input_token_cost: float | None = None
    input_cost_per_token_above_200k_tokens: float | None = None
    output_cost_per_token_above_200k_tokens: float | None = None
    cache_read_input_token_cost_above_200k_tokens: float | None = None
    max_input_tokens: int | None = None

    def cost(self, usage: Usage) -> float | None:
        """USD for one call; None when the row has no price."""
        is_long = usage.input_tokens > 200_000
        price_in = (is_long and self.input_cost_per_token_above_200k_tokens) or (
            self.input_cost_per_token
        )
        price_out = (is_long and self.output_cost_per_token_above_200k_tokens) or (
            self.output_cost_per_token
        )
        if not price_in and not price_out:
            return None
        price_cached = (is_long and self.cache_read_input_token_cost_above_200k_tokens) or (
            self.cache_read_input_token_cost
        )
        if price_cached is None:
            price_cached = price_in
        fresh = max(0, usage.input_tokens - usage.cached_tokens)
        return (
            fresh * (price_in or 0.0)
            + usage.cached_tokens * (price_cached or 0.0)
            + usage.output_tokens * (price_out or 0.0)
        )


async def price_row(name: str) -> Row | None:
    """The map's row for a model; reading takes a few milliseconds, the first time only."""
    return await anyio.to_thread.run_sync(_row, name) if name else None


async def accounted(usage: Usage, target: Target) -> Usage:
    """`usage` with its cost, or marked as unpriced."""
    if usage.cost_usd is not None:
        return usage
    cost: float | None = 0.0
    if not target.is_free:
        row = await price_row(target.price_name)
        cost = row.cost(usage) if row else None
    return msgspec.structs.replace(usage, cost_usd=cost, unpriced_calls=1 if cost is None else 0)


async def context_window(target: Target) -> int | None:
    """Tokens the model can hold, as far as is known without asking the server."""
    if target.context_window is not None:
        return target.context_window
    row = await price_row(target.price_name)
    return row.max_input_tokens if row else None


@cache
def _row(name: str) -> Row | None:
    """One row; a map that cannot be read, or a row that does not fit, is as good as none."""
    # A top-level package is located without being imported.
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / MAP_NAME).read_bytes()
        rows = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return msgspec.json.decode(rows[name], type=Row)
    except (OSError, msgspec.DecodeError, KeyError):
        return None

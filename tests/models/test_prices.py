"""What is said about cost, and what is not."""

import subprocess
import sys

import pytest

from hermes_tui.core.usage import Usage
from hermes_tui.models.prices import Row, accounted, context_window, price_row
from hermes_tui.models.target import Target


def target(**fields: object) -> Target:
    return Target("p/m", "p", "P", "m", "https://p.invalid/v1", **fields)  # pyright: ignore[reportArgumentType]


async def test_the_map_prices_a_call_with_its_cached_part() -> None:
    row = await price_row("gpt-4o")
    assert row is not None
    cost = row.cost(Usage(input_tokens=1_000_000, output_tokens=1_000_000, cached_tokens=500_000))
    # 2.50 and 10.00 USD per million tokens, 1.25 for cached ones.
    assert cost == pytest.approx(0.5 * 2.5 + 0.5 * 1.25 + 10.0)


async def test_the_providers_own_figure_wins() -> None:
    told = await accounted(Usage(input_tokens=1000, cost_usd=0.5), target(price_name="gpt-4o"))
    assert (told.cost_usd, told.unpriced_calls) == (0.5, 0)


@pytest.mark.parametrize("name", ["", "no-such-model"])
async def test_an_unknown_price_is_none_and_never_zero(name: str) -> None:
    told = await accounted(Usage(input_tokens=1000), target(price_name=name))
    assert (told.cost_usd, told.unpriced_calls) == (None, 1)


def test_a_row_with_zero_prices_proves_nothing() -> None:
    row = Row(input_cost_per_token=0.0, output_cost_per_token=0.0)
    assert row.cost(Usage(input_tokens=5)) is None


def test_long_prompts_cost_what_long_prompts_cost() -> None:
    row = Row(
        input_cost_per_token=1e-6,
        output_cost_per_token=1e-6,
        input_cost_per_token_above_200k_tokens=2e-6,
    )
    assert row.cost(Usage(input_tokens=200_000)) == pytest.approx(0.2)
    assert row.cost(Usage(input_tokens=300_000)) == pytest.approx(0.6)


async def test_this_machine_is_free() -> None:
    told = await accounted(Usage(input_tokens=9), target(is_free=True))
    assert (told.cost_usd, told.unpriced_calls) == (0.0, 0)


async def test_the_window_is_the_configured_one_else_the_maps() -> None:
    assert await context_window(target(context_window=5, price_name="gpt-4o")) == 5
    assert await context_window(target(price_name="gpt-4o")) == 128_000
    assert await context_window(target()) is None


def test_reading_a_price_does_not_import_litellm() -> None:
    probe = (
        "import sys, anyio; from hermes_tui.models.prices import price_row; "
        "row = anyio.run(price_row, 'gpt-4o'); print(row is not None, 'litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]

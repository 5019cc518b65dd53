"""What a provider's words and status come to."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest

from hermes_tui.core.errors import (
    ContentRefusedError,
    ContextOverflowError,
    ModelAuthError,
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from hermes_tui.models.errors import SIGNS, Sign, error_for, missing_key, retry_after
from hermes_tui.models.target import Secret, Target

KEY = "sk-live-0123456789abcdef"
TARGET = Target(
    "openai/gpt-5.4", "openai", "OpenAI", "gpt-5.4", "https://example.invalid/v1",
    api_key=Secret(KEY), key_variable="OPENAI_API_KEY",
)  # fmt: skip

KINDS: dict[str, type[ModelError]] = {
    "quota": QuotaExceededError,
    "overflow": ContextOverflowError,
    "refused": ContentRefusedError,
    "auth": ModelAuthError,
    "not_found": ModelNotFoundError,
    "rate_limit": RateLimitedError,
    "unavailable": ModelUnavailableError,
}


def body(message: str) -> str:
    return msgspec.json.encode({"error": {"message": message}}).decode()


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.example)
@pytest.mark.parametrize("status", [400, None])
def test_every_sign_is_known_by_its_example(sign: Sign, status: int | None) -> None:
    error = error_for(TARGET, status=status, body=body(sign.example))
    assert type(error) is KINDS[sign.kind]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ModelError), (401, ModelAuthError), (402, QuotaExceededError), (403, ModelAuthError),
        (404, ModelNotFoundError), (408, ModelUnavailableError), (413, ContextOverflowError),
        (429, RateLimitedError), (500, ModelUnavailableError), (529, ModelUnavailableError),
    ],
)  # fmt: skip
def test_a_status_without_words_is_enough(status: int, kind: type[ModelError]) -> None:
    assert type(error_for(TARGET, status=status, body="")) is kind


def test_a_full_context_is_believed_even_from_a_failing_server() -> None:
    error = error_for(TARGET, status=500, body=body("exceed_context_size_error"))
    assert type(error) is ContextOverflowError


def test_a_failing_server_that_quotes_a_policy_is_only_failing() -> None:
    error = error_for(TARGET, status=500, body=body("while checking content policy: crash"))
    assert type(error) is ModelUnavailableError


def test_a_rate_limit_that_mentions_the_model_is_a_rate_limit() -> None:
    text = "Rate limit reached for gpt-5.4 on requests per min. Please try again in 1.5s."
    error = error_for(TARGET, status=429, body=body(text))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 1.5


def test_the_key_never_appears_not_even_when_the_provider_repeats_it() -> None:
    text = f"bad key {KEY}, also sk-abc***********xyz and Bearer abcdef"
    shown = str(error_for(TARGET, status=401, body=body(text)))
    assert KEY not in shown
    assert "xyz" not in shown
    assert "abcdef" not in shown
    assert KEY not in repr(TARGET)


def test_an_ellipsis_the_provider_ends_with_stays() -> None:
    text = "You can find your key at ..."
    error = error_for(TARGET, status=401, body=body(text))
    assert "find your key at …. Check" in str(error)


def test_control_characters_and_length_of_the_providers_words_are_bounded() -> None:
    shown = error_for(TARGET, status=400, body=body("\x1b[31mred\n" + "x" * 5000)).message
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert len(shown) < 400


def test_a_web_page_is_not_quoted() -> None:
    shown = error_for(TARGET, status=502, body="<html><body>Bad gateway</body></html>").message
    assert "<" not in shown


@pytest.mark.parametrize(
    "text",
    ['{"error": "no"}', '{"detail": "no"}', '{"message": "no"}', '[{"error": {"message": "no"}}]',
     '{"detail": [{"msg": "no"}]}', "no"],
)  # fmt: skip
def test_the_sentence_is_found_in_every_shape_of_body(text: str) -> None:
    assert error_for(TARGET, status=400, body=text).message.endswith(": no.")


def test_retry_after_is_read_from_seconds_milliseconds_dates_and_words() -> None:
    assert retry_after({"Retry-After": "3"}) == 3
    assert retry_after({"retry-after-ms": "1500"}) == 1.5
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert 25 < (retry_after({"retry-after": later}) or 0) <= 30
    assert retry_after({}, "Please try again in 20s.") == 20
    assert retry_after({}, 'retryDelay": "13s"') == 13
    assert retry_after({}, "try again in 250ms") == 0.25
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}, "no idea") is None


def test_a_missing_key_names_the_variable_to_set() -> None:
    error = missing_key("OpenRouter", ("OPENROUTER_API_KEY",))
    assert "OPENROUTER_API_KEY" in error.hint

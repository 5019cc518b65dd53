"""What a provider's refusal means, as one of our errors."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast

import msgspec
from msgspec import Struct

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
from hermes_tui.models.target import Target

MAX_QUOTE_CHARS = 300
"""How much of the provider's own words an error repeats."""

Kind = Literal["quota", "overflow", "refused", "auth", "not_found", "rate_limit", "unavailable"]


class Sign(Struct, frozen=True):
    """Words in a provider's answer that say what kind of refusal it is."""

    kind: Kind
    pattern: str
    example: str


# Order matters: quota and overflow arrive under the status of a rate limit or a bad request.
SIGNS: tuple[Sign, ...] = (
    Sign("quota", r"insufficient_quota|exceeded your current quota", "insufficient_quota"),
    Sign("quota", r"insufficient (credits?|balance|funds)", "Insufficient credits"),
    Sign("quota", r"credit balance is too low|billing_hard_limit|requires more credits",
         "Your credit balance is too low to access the API."),
    Sign("overflow", r"context_length_exceeded|exceed_context_size|context_window_exceeded",
         "context_length_exceeded"),
    Sign("overflow", r"maximum context length|context (length|window|size) (is|of|was)? ?exceed",
         "This model's maximum context length is 8192 tokens."),
    Sign("overflow", r"exceeds? the (available |model'?s? )?(maximum )?context",
         "the request exceeds the available context size"),
    Sign("overflow", r"prompt is too long|input token count .{0,40}exceeds|input is too long",
         "prompt is too long: 210000 tokens > 200000 maximum"),
    Sign("refused", r"content_policy|content_filter|content policy|ContentPolicyViolation",
         "content_policy_violation"),
    Sign("refused", r"flagged (by|as)|violat\w+ .{0,40}(policy|policies|guidelines)|safety system",
         "Your request was rejected by our safety system"),
    Sign("auth", r"invalid_api_key|(incorrect|invalid|missing|expired) (api|access) ?key",
         "Incorrect API key provided"),
    Sign("auth", r"api key not valid|invalid x-api-key|no auth credentials|unauthori[sz]ed",
         "API key not valid. Please pass a valid API key."),
    Sign("not_found", r"model_not_found|(model|deployment) .{0,80}(does not exist|not found)",
         "The model `x` does not exist"),
    Sign("not_found", r"not a valid model( id)?|no (such model|endpoints found)|unknown model",
         "foo/bar is not a valid model ID"),
    Sign("rate_limit", r"rate.?limit|too many requests|resource_exhausted", "Rate limit reached"),
    Sign("unavailable", r"overloaded|temporarily unavailable|try again later|server_error",
         "Overloaded"),
)  # fmt: skip

_KIND_OF_STATUS: dict[int, Kind] = {
    401: "auth", 402: "quota", 403: "auth", 404: "not_found", 408: "unavailable",
    413: "overflow", 425: "unavailable", 429: "rate_limit",
}  # fmt: skip
# With these the status speaks for itself; with others, like 400, only the words do.
_PLAIN_STATUSES = frozenset({401, 402})

_COMPILED: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (sign.kind, re.compile(sign.pattern, re.IGNORECASE)) for sign in SIGNS
)
_WAIT = re.compile(
    r"(?:try again|retry|retrydelay|wait|reset)\D{0,20}?(\d+(?:\.\d+)?)\s*(ms|s\b|sec|m\b|min)",
    re.IGNORECASE,
)
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0}
_KEY_LIKE = re.compile(r"\b(?:sk|hf|gsk|xai|AIza|pk|rk)[-_][\w*.-]{6,}|Bearer\s+\S+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def error_for(
    target: Target,
    *,
    status: int | None,
    body: str,
    headers: Mapping[str, str] | None = None,
) -> ModelError:
    """The error to raise for an answer that is none.

    `status` is None when the refusal came inside a stream; `body` is the
    provider's text, JSON or not. The message never contains the key.
    """
    said = _quote(target, body)
    kind = _kind(status, body)
    if kind == "rate_limit":
        return RateLimitedError(
            f"{target.title} asks to slow down{said}.",
            hint="Wait a little, or choose another model with `--model`.",
            retry_after=retry_after(headers or {}, body),
        )
    if kind is not None:
        return _BUILDERS[kind](target, said)
    code = f" with status {status}" if status else ""
    return ModelError(
        f"{target.title} refused the request{code}{said}.",
        hint="Check the model's settings, or choose another model with `--model`.",
    )


def unreachable(target: Target, reason: str) -> ModelUnavailableError:
    """Nobody answers at the target's address."""
    where = target.base_url or target.title
    start = (
        "Start the server, or choose another model with `--model`."
        if target.is_loopback
        else "Check the network and the address, or choose another model with `--model`."
    )
    return ModelUnavailableError(
        f"{target.title} cannot be reached at {where}: {reason}.", hint=start
    )


def timed_out(target: Target, what: str, seconds: float) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{target.title} sent {what} for {seconds:g} seconds.",
        hint="Ask again, or choose another model with `--model`.",
    )


def cut_off(target: Target) -> ModelUnavailableError:
    """The stream ended before the answer did."""
    return ModelUnavailableError(
        f"The connection to {target.title} was cut before the answer was complete.",
        hint="Ask again.",
    )


def not_chat(target: Target, excerpt: str) -> ModelUnavailableError:
    """What came back is no chat completion."""
    return ModelUnavailableError(
        f"{target.title} sent something that is no chat completion{_quote(target, excerpt)}.",
        hint="Check that the base URL is the one of an OpenAI-compatible API, `/v1` included.",
    )


def refused_content(target: Target) -> ContentRefusedError:
    return _refused(target, "")


def missing_key(title: str, variables: tuple[str, ...]) -> ModelAuthError:
    """There is no key to call a hosted provider with."""
    return ModelAuthError(
        f"{title} needs an API key and {variables[0]} is not set.",
        hint=f"Set {variables[0]} in the environment or in the .env file, or run `hermes setup`.",
    )


def retry_after(headers: Mapping[str, str], body: str = "") -> float | None:
    """Seconds the provider asks us to wait, from its headers or its words."""
    lowered = {name.lower(): value for name, value in headers.items()}
    if (text := lowered.get("retry-after-ms")) and (wait := _number(text)) is not None:
        return wait / 1000
    if text := lowered.get("retry-after"):
        wait = _number(text)
        return wait if wait is not None else _seconds_until(text)
    if found := _WAIT.search(body):
        return float(found[1]) * _UNIT_SECONDS[found[2].lower()]
    return None


def _number(text: str) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        return None


def _seconds_until(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # slow to import, rarely needed

    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _kind(status: int | None, body: str) -> Kind | None:
    by_status = _KIND_OF_STATUS.get(status or 0)
    if by_status and status in _PLAIN_STATUSES:
        return by_status
    for kind, pattern in _COMPILED:
        if pattern.search(body) and _may_be(kind, status):
            return kind
    if by_status is None and status is not None and status >= 500:
        return "unavailable"
    return by_status


def _may_be(kind: Kind, status: int | None) -> bool:
    """Whether words of this kind mean it under this status."""
    if status is not None and status >= 500:
        # A failing server quotes the request or its own logs: only a full context is believed.
        return kind in {"overflow", "rate_limit"}
    return True


def _quote(target: Target, body: str) -> str:
    """`: <the provider's words>`, short and without keys or control characters; may be empty."""
    text = _words_of(body)
    if target.api_key:
        text = text.replace(target.api_key, "…")
    text = _KEY_LIKE.sub("…", _UNPRINTABLE.sub(" ", text))
    text = re.sub(r"\s+", " ", text).strip()
    # The sentence around it ends with a full stop; an ellipsis stays to show what is missing.
    text = text.removesuffix("...") + "…" if text.endswith("...") else text.rstrip(".")
    if len(text) > MAX_QUOTE_CHARS:
        text = text[: MAX_QUOTE_CHARS - 1] + "…"
    return f": {text}" if text else ""


def _words_of(body: str) -> str:
    """The human sentence inside a JSON error body, or the body itself."""
    try:
        value: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "" if body.lstrip().startswith("<") else body
    for _ in range(6):
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value:
            value = cast("list[Any]", value)[0]
        if not isinstance(value, dict):
            return ""
        fields = cast("dict[str, Any]", value)
        keys = ("error", "message", "detail", "msg")
        value = next((fields[key] for key in keys if fields.get(key)), None)
    return ""


def _quota(target: Target, said: str) -> ModelError:
    return QuotaExceededError(
        f"The account at {target.title} is out of credit{said}.",
        hint="Add credit there, or choose another model with `--model`.",
    )


def _overflow(target: Target, said: str) -> ModelError:
    return ContextOverflowError(
        f"The conversation no longer fits what {target.model} can hold{said}.",
        hint="Start a new session, or choose a model with a larger context window.",
    )


def _refused(target: Target, said: str) -> ContentRefusedError:
    return ContentRefusedError(
        f"{target.title} refused the content under its policy{said}.",
        hint="Rephrase the request, or choose another model with `--model`.",
    )


def _auth(target: Target, said: str) -> ModelError:
    variable = target.key_variable
    check = f"Check {variable}, or run `hermes setup`." if variable else "Check the API key."
    what = "the key" if target.api_key else "the request without a key"
    if not target.api_key and not variable:
        check = f"Set `providers.{target.provider}.api_key`, or run `hermes setup`."
    return ModelAuthError(f"{target.title} rejected {what}{said}.", hint=check)


def _not_found(target: Target, said: str) -> ModelError:
    return ModelNotFoundError(
        f"{target.title} has no model {target.model!r}{said}.",
        hint="See `hermes model` for some it has, and choose one with `--model`.",
    )


def _unavailable(target: Target, said: str) -> ModelError:
    return ModelUnavailableError(
        f"{target.title} cannot answer now{said}.",
        hint="Ask again in a while, or choose another model with `--model`.",
    )


_BUILDERS: dict[Kind, Callable[[Target, str], ModelError]] = {
    "quota": _quota, "overflow": _overflow, "refused": _refused, "auth": _auth,
    "not_found": _not_found, "unavailable": _unavailable,
}  # fmt: skip

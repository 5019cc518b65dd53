"""The litellm lane, and the only door to litellm.

Importing litellm takes seconds of CPU, so it happens in a thread, at the first
call or when `warm` asks for it, and with the garbage collector off: collecting
the half-built module graph would freeze the screen.
"""

import gc
import logging
import os
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, cast

import anyio
import anyio.to_thread
import msgspec

from hermes_tui.core.errors import ModelError, PluginError
from hermes_tui.core.ports import ModelItem, ModelRequest, Reply
from hermes_tui.models import errors
from hermes_tui.models.assembly import Assembly
from hermes_tui.models.direct import Timeouts
from hermes_tui.models.prices import accounted, context_window
from hermes_tui.models.reasoning import litellm_fields
from hermes_tui.models.target import Target
from hermes_tui.models.wire import (
    CallPiece,
    Choice,
    Chunk,
    CompletionDetails,
    Delta,
    FunctionPiece,
    Json,
    PromptDetails,
    ThinkingBlock,
    UsageBlock,
    request_body,
    wire_messages,
)

# Without these the import fetches price lists from the network and prints warnings.
FLAGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_SUPPRESS_STARTUP_OUTPUT": "true",
}
LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

_NO_CONNECTION = re.compile(
    r"(?:cannot connect to host|all connection attempts failed|connecterror|connection refused"
    r"|connection error)(?:[^\n]*\[(?P<reason>[^\]]*)\])?",
    re.IGNORECASE,
)

_lock = threading.Lock()
_loaded: Any = None


def load() -> Any:
    """The litellm module, imported once; blocks for seconds the first time.

    Raises:
        PluginError: it cannot be imported.
    """
    global _loaded  # noqa: PLW0603  one module for the process, guarded by the lock
    with _lock:
        if _loaded is None:
            _loaded = _import()
        return _loaded


def warm() -> threading.Thread:
    """Start importing in the background, so that the first call finds it ready."""
    thread = threading.Thread(target=_warm, name="litellm-import", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    # Whoever needs the module will import it again and see the reason.
    with suppress(PluginError):
        load()


def _import() -> Any:
    for name, value in FLAGS.items():
        os.environ.setdefault(name, value)
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        import litellm
    except ImportError as error:
        raise PluginError(
            f"litellm cannot be imported: {error}.",
            hint="Reinstall hermes-tui with its dependencies.",
        ) from error
    finally:
        gc.freeze()
        if was_collecting:
            gc.enable()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    return litellm


class LitellmModel:
    """A model at any provider litellm knows."""

    def __init__(self, target: Target, *, timeouts: Timeouts | None = None) -> None:
        self._target = target
        self._timeouts = timeouts or Timeouts()
        self._is_text_mode = target.tool_calls == "text"
        self._context_window = target.context_window

    @property
    def name(self) -> str:
        return self._target.name

    @property
    def context_window(self) -> int | None:
        return self._context_window

    async def aclose(self) -> None:
        """Close the connections litellm keeps for this event loop."""
        if _loaded is not None:
            await _loaded.close_litellm_async_clients()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield deltas, then the `Reply`.

        Raises:
            ModelError: the provider refused or failed.
        """
        litellm = await anyio.to_thread.run_sync(load, abandon_on_cancel=True)
        assembly = Assembly(request, is_text_mode=self._is_text_mode)
        response = await self._send(litellm, request)
        seconds, what = self._timeouts.first, "no answer"
        try:
            while (chunk := await self._next(response, seconds, what)) is not None:
                seconds, what = self._timeouts.idle, "nothing more"
                for delta in assembly.add(chunk):
                    yield delta
        finally:
            with anyio.CancelScope(shield=True):  # the socket must not outlive the call
                await _close(response)
        # Where the stream breaks off litellm makes a reason up; this holds the real one.
        if getattr(response, "received_finish_reason", assembly.finish_reason) is None:
            raise errors.cut_off(self._target)
        if assembly.finish_reason == "content_filter" and assembly.is_empty:
            raise errors.refused_content(self._target)
        deltas, reply = assembly.finish()
        for delta in deltas:
            yield delta
        yield await self._accounted(reply, _stated_cost(response))

    async def _accounted(self, reply: Reply, stated_cost: float | None) -> Reply:
        if self._context_window is None:
            self._context_window = await context_window(self._target)
        usage = msgspec.structs.replace(reply.usage, cost_usd=stated_cost)
        usage = await accounted(usage, self._target)
        return msgspec.structs.replace(reply, usage=usage)

    async def _send(self, litellm: Any, request: ModelRequest) -> AsyncIterator[Any]:
        target = self._target
        body: Json = request_body(
            request, model=target.litellm_name, is_text_mode=self._is_text_mode
        )
        if not self._is_text_mode:
            body["messages"] = wire_messages(
                request, keeps_signatures=target.provider == "anthropic"
            )
        try:
            with anyio.fail_after(self._timeouts.first):
                return await litellm.acompletion(
                    **body,
                    api_base=target.base_url or None,
                    # An empty key makes litellm search the environment for another.
                    api_key=str(target.api_key) or ("none" if target.base_url else None),
                    timeout=self._limits(),
                    num_retries=0,
                    max_retries=0,
                    extra_headers=target.headers or None,
                    extra_body=target.extra_body or None,
                    **litellm_fields(target.reasoning),
                )
        except TimeoutError:
            raise errors.timed_out(target, "no answer", self._timeouts.first) from None
        except Exception as error:  # noqa: BLE001  litellm raises its own, openai's and httpx's
            raise self._error(error) from None

    async def _next(self, response: AsyncIterator[Any], seconds: float, what: str) -> Chunk | None:
        try:
            with anyio.fail_after(seconds):
                return _chunk(await anext(response))
        except StopAsyncIteration:
            return None
        except TimeoutError:
            raise errors.timed_out(self._target, what, seconds) from None
        except Exception as error:  # noqa: BLE001  as above
            raise self._error(error) from None

    def _limits(self) -> Any:
        """Limits for litellm above our own, which tell waiting for a start from a stall."""
        import httpx

        longest = self._timeouts.first + self._timeouts.idle
        return httpx.Timeout(longest, connect=self._timeouts.connect)

    def _error(self, error: Exception) -> ModelError:
        """What litellm raised, as the error the direct lane would raise."""
        kind = type(error).__name__
        text = getattr(error, "message", None) or str(error)
        if kind == "Timeout":
            return errors.unreachable(self._target, "it took too long to connect")
        if found := _NO_CONNECTION.search(text):
            reason = found["reason"] or ""
            if not reason or "connect call failed" in reason.lower():
                reason = "nothing listens there"
            return errors.unreachable(self._target, reason)
        if kind in {"MidStreamFallbackError", "APIConnectionError"}:
            return errors.cut_off(self._target)
        if kind == "ContextWindowExceededError":
            text = f"context_length_exceeded {text}"
        status = getattr(error, "status_code", None)
        return errors.error_for(
            self._target,
            status=status if isinstance(status, int) else None,
            body=_innermost(text),
            headers=_headers_of(error),
        )


def _headers_of(error: Exception) -> dict[str, str]:
    """Response headers, which litellm keeps in one place or another by provider."""
    found = getattr(error, "litellm_response_headers", None)
    if not found:
        found = getattr(getattr(error, "response", None), "headers", None)
    return {str(name): str(value) for name, value in dict(found or {}).items()}


def _innermost(text: str) -> str:
    """The text without the chain of exception names before it."""
    tail = text.rpartition("Exception - ")[2] or text
    return tail.partition("\n")[0]


def _stated_cost(response: Any) -> float | None:
    """USD as the provider states it; litellm's own usage block leaves it out."""
    for chunk in reversed(cast("list[Any]", getattr(response, "chunks", None) or [])):
        cost = getattr(getattr(chunk, "usage", None), "cost", None)
        if isinstance(cost, int | float):
            return float(cost)
    return None


async def _close(response: Any) -> None:
    stream = getattr(response, "completion_stream", None)
    for one in (response, stream):
        close = getattr(one, "aclose", None)
        if close is not None:
            await close()
            return


def _chunk(raw: Any) -> Chunk:
    """A litellm chunk as one of ours, without going through JSON."""
    return Chunk([_choice(choice) for choice in raw.choices], _usage(getattr(raw, "usage", None)))


def _choice(choice: Any) -> Choice:
    delta = choice.delta
    calls = [
        CallPiece(call.index, call.id, FunctionPiece(call.function.name, call.function.arguments))
        for call in getattr(delta, "tool_calls", None) or ()
    ]
    blocks = cast("list[Any]", getattr(delta, "thinking_blocks", None) or [])
    thinking = [ThinkingBlock(signature=one.get("signature")) for one in blocks]
    return Choice(
        Delta(
            content=getattr(delta, "content", None),
            reasoning_content=getattr(delta, "reasoning_content", None),
            tool_calls=calls,
            thinking_blocks=thinking,
        ),
        finish_reason=choice.finish_reason,
    )


def _usage(raw: Any) -> UsageBlock | None:
    if raw is None:
        return None
    prompt = getattr(raw, "prompt_tokens_details", None)
    completion = getattr(raw, "completion_tokens_details", None)
    return UsageBlock(
        prompt_tokens=raw.prompt_tokens,
        completion_tokens=raw.completion_tokens,
        prompt_tokens_details=PromptDetails(getattr(prompt, "cached_tokens", None)),
        completion_tokens_details=CompletionDetails(getattr(completion, "reasoning_tokens", None)),
    )

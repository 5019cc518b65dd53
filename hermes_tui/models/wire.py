"""Our messages as OpenAI chat JSON, and what comes back, chunk by chunk.

Source of the shapes: OpenAI's chat completions reference, and what vLLM, Ollama,
llama.cpp, OpenRouter and DeepSeek send that is not in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, cast

import msgspec
from msgspec import Struct

from hermes_tui.core.messages import Message, Reasoning, ToolCall
from hermes_tui.core.ports import ModelRequest, Prefix
from hermes_tui.core.usage import Usage, estimated_tokens
from hermes_tui.models.text_calls import call_as_text, instructions, result_as_text

Json = dict[str, Any]


class FunctionPiece(Struct):
    """Part of a call's name and arguments."""

    name: str | None = None
    arguments: Any = None
    """A piece of JSON text; whole objects from servers that send no pieces."""


class CallPiece(Struct):
    """Part of one tool call."""

    index: int | None = None
    id: str | None = None
    function: FunctionPiece | None = None


class ThinkingBlock(Struct):
    """Thinking with the proof of origin Anthropic wants back."""

    thinking: str | None = None
    signature: str | None = None


class Delta(Struct):
    """What one chunk adds to the message."""

    content: Any = None
    """Text; from some servers a list of typed parts."""
    reasoning_content: str | None = None
    reasoning: Any = None
    """OpenRouter's and newer vLLM's name for `reasoning_content`."""
    tool_calls: list[CallPiece] | None = None
    thinking_blocks: list[ThinkingBlock] | None = None
    refusal: str | None = None


class Choice(Struct):
    """One answer; there is never more than one."""

    delta: Delta | None = None
    message: Delta | None = None
    """In place of `delta` when the server did not stream."""
    finish_reason: str | None = None


class PromptDetails(Struct):
    """What the input tokens were."""

    cached_tokens: int | None = None


class CompletionDetails(Struct):
    """What the output tokens were."""

    reasoning_tokens: int | None = None


class UsageBlock(Struct):
    """Tokens as OpenAI counts them, and the cost OpenRouter adds."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    """DeepSeek's name for the cached tokens."""
    cost: float | None = None
    """USD."""

    def usage(self) -> Usage:
        cached = self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens
        thought = self.completion_tokens_details and self.completion_tokens_details.reasoning_tokens
        return Usage(
            input_tokens=self.prompt_tokens or 0,
            output_tokens=self.completion_tokens or 0,
            cached_tokens=cached or self.prompt_cache_hit_tokens or 0,
            reasoning_tokens=thought or 0,
            cost_usd=self.cost,
        )


class Chunk(Struct):
    """One server-sent event, or a whole answer that was not streamed."""

    choices: list[Choice] | None = None
    usage: UsageBlock | None = None
    error: Any = None
    """An error that came up after the stream had begun."""


BETWEEN = "(Something was said meanwhile.)"

decode_chunk = msgspec.json.Decoder(Chunk, strict=False).decode
"""A chunk from its JSON. Raises `msgspec.DecodeError` for anything else."""


def request_body(
    request: ModelRequest,
    *,
    model: str,
    is_text_mode: bool = False,
    wants_usage: bool = True,
    extra: Json | None = None,
) -> Json:
    """The body of a streamed chat completion.

    The order of keys and tools is fixed, so that equal prefixes are equal bytes.
    In text mode tools and results travel in the prose instead.
    """
    body: Json = {"model": model}
    if request.prefix.tools and not is_text_mode:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.prefix.tools
        ]
    body["messages"] = wire_messages(request, is_text_mode=is_text_mode)
    body["stream"] = True
    if wants_usage:
        body["stream_options"] = {"include_usage": True}
    return body | (extra or {})


def wire_messages(
    request: ModelRequest, *, is_text_mode: bool = False, keeps_signatures: bool = False
) -> list[Json]:
    """System prompt first, then the history with neighbours of one role merged.

    What a person says while tools run follows their results, which Mistral's API refuses
    ("Unexpected role 'user' after role 'tool'"): a few words of the assistant come between.
    Thinking is left out, unless `keeps_signatures` and the provider signed it.
    """
    wire = list(_system(request.prefix, is_text_mode=is_text_mode))
    convert = _text_messages if is_text_mode else _native_messages
    said = [one for one in request.messages if one.text or _prose_role(one) != "assistant"]
    for is_prose, group in groupby(said, key=_prose_role):
        messages = list(group)
        if is_prose == "user" or (is_prose == "assistant" and not keeps_signatures):
            text = "\n\n".join(one.sent_text for one in messages if one.text)
            if text and is_prose == "user" and wire and wire[-1]["role"] == "tool":
                wire.append({"role": "assistant", "content": BETWEEN})
            if text:
                wire.append({"role": is_prose, "content": text})
        else:
            wire.extend(convert(messages, request.messages, keeps_signatures=keeps_signatures))
    return wire if not is_text_mode else list(_merged(wire))


def _prose_role(message: Message) -> str:
    """The role of a message that is nothing but prose; empty for one with calls or results."""
    return "" if message.tool_calls or message.role == "tool" else message.role


def _system(prefix: Prefix, *, is_text_mode: bool) -> Iterator[Json]:
    text = prefix.system
    if is_text_mode and prefix.tools:
        text = f"{text}\n\n{instructions(prefix.tools)}".strip()
    if text:
        yield {"role": "system", "content": text}


def _native_messages(
    messages: Sequence[Message], history: Sequence[Message], *, keeps_signatures: bool
) -> Iterator[Json]:
    del history
    for message in messages:
        for result in message.tool_results:
            yield {"role": "tool", "tool_call_id": result.call_id, "content": result.content}
        if message.role != "assistant":
            continue
        wire: Json = {"role": "assistant", "content": message.text or None}
        if message.tool_calls:
            wire["tool_calls"] = [_wire_call(call) for call in message.tool_calls]
        signed = [
            {"type": "thinking", "thinking": part.text, "signature": part.signature}
            for part in message.parts
            if isinstance(part, Reasoning) and part.signature
        ]
        if signed and keeps_signatures:
            wire["thinking_blocks"] = signed
        if message.text or message.tool_calls:
            yield wire


def _wire_call(call: ToolCall) -> Json:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": acceptable_arguments(call.arguments)},
    }


def acceptable_arguments(arguments: str) -> str:
    """Arguments as every provider takes them back.

    Chat templates and translating proxies parse them and refuse the whole request
    when they are not a JSON object, so a malformed text travels inside one.
    """
    try:
        msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return msgspec.json.encode({"malformed": arguments}).decode() if arguments else "{}"
    return arguments


def _text_messages(
    messages: Sequence[Message], history: Sequence[Message], *, keeps_signatures: bool
) -> Iterator[Json]:
    del keeps_signatures
    names = {call.id: call.name for message in history for call in message.tool_calls}
    for message in messages:
        if message.role == "assistant":
            blocks = [message.text] if message.text else []
            blocks += [call_as_text(call) for call in message.tool_calls]
            yield {"role": "assistant", "content": "\n".join(blocks)}
        else:
            blocks = [
                result_as_text(one, names.get(one.call_id, "")) for one in message.tool_results
            ]
            yield {"role": "user", "content": "\n".join(blocks)}


def _merged(wire: Iterable[Json]) -> Iterator[Json]:
    """Messages with neighbours of one role joined, as templates without a tool role demand."""
    for role, group in groupby(wire, key=lambda message: cast("str", message["role"])):
        yield {"role": role, "content": "\n\n".join(message["content"] for message in group)}


def text_of(content: Any) -> str:
    """The prose in a `content`, whether it is text or a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        texts = [cast("Json", part).get("text") for part in parts if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return ""


def estimated_request_tokens(request: ModelRequest) -> int:
    """What a request roughly takes, for servers that report no usage."""
    sent = "".join(text_of(message["content"]) for message in wire_messages(request))
    schemas = msgspec.json.encode([tool.parameters for tool in request.prefix.tools])
    return estimated_tokens(sent) + len(schemas) // 4

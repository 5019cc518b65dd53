"""The providers Hermes knows by name."""

from typing import Literal

from msgspec import Struct

from hermes_tui.models.target import Lane

Use = Literal["everyday", "hard problems", "fast and cheap", "code", "open weights"]


class Suggestion(Struct, frozen=True):
    """A model worth starting with."""

    model: str
    use: Use


class Provider(Struct, frozen=True):
    """Where a provider answers and what it wants."""

    name: str
    """What stands before the first slash of a model's name."""
    title: str
    """What people call it."""
    base_url: str = ""
    """Of its OpenAI-compatible API; empty when only litellm knows how to reach it."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key, the first one being the one to name."""
    base_variables: tuple[str, ...] = ()
    """Environment variables that replace `base_url`."""
    lane: Lane = "direct"
    litellm_prefix: str = "hosted_vllm"
    """For its models in the litellm lane; `hosted_vllm` is the cheapest for a plain base."""
    price_prefix: str | None = None
    """What stands before the model in the price map; None when it has no rows."""
    port: int | None = None
    """Where it listens on this machine, for servers people run themselves."""
    extra_body: dict[str, object] = {}
    models: tuple[Suggestion, ...] = ()
    """The first one is the default."""

    @property
    def is_local(self) -> bool:
        return self.port is not None


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "nous", "Nous Portal", "https://inference-api.nousresearch.com/v1", ("NOUS_API_KEY",),
        models=(
            Suggestion("Hermes-4-405B", "everyday"),
            Suggestion("Hermes-4-70B", "fast and cheap"),
        ),
    ),
    Provider(
        "openrouter", "OpenRouter", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",),
        litellm_prefix="openrouter",
        # Makes the response carry its cost, the only trustworthy figure there.
        extra_body={"usage": {"include": True}},
        models=(
            Suggestion("nousresearch/hermes-4-405b", "open weights"),
            Suggestion("anthropic/claude-sonnet-4.6", "everyday"),
            Suggestion("anthropic/claude-opus-4.7", "hard problems"),
            Suggestion("deepseek/deepseek-v3.2", "fast and cheap"),
        ),
    ),
    Provider(
        "anthropic", "Anthropic", "", ("ANTHROPIC_API_KEY",),
        lane="litellm", litellm_prefix="anthropic", price_prefix="",
        models=(
            Suggestion("claude-sonnet-4-6", "everyday"),
            Suggestion("claude-opus-4-7", "hard problems"),
            Suggestion("claude-haiku-4-5", "fast and cheap"),
        ),
    ),
    Provider(
        "openai", "OpenAI", "https://api.openai.com/v1", ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        litellm_prefix="openai", price_prefix="",
        models=(
            Suggestion("gpt-5.4", "everyday"),
            Suggestion("gpt-5.5", "hard problems"),
            Suggestion("gpt-5.4-mini", "fast and cheap"),
            Suggestion("gpt-5.3-codex", "code"),
        ),
    ),
    Provider(
        "gemini", "Google Gemini", "", ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        lane="litellm", litellm_prefix="gemini", price_prefix="gemini/",
        models=(
            Suggestion("gemini-3.5-flash", "everyday"),
            Suggestion("gemini-3.1-pro-preview", "hard problems"),
            Suggestion("gemini-3.1-flash-lite", "fast and cheap"),
        ),
    ),
    Provider(
        "huggingface", "Hugging Face", "https://router.huggingface.co/v1",
        ("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        models=(
            Suggestion("openai/gpt-oss-120b", "everyday"),
            Suggestion("NousResearch/Hermes-4-70B", "open weights"),
            Suggestion("Qwen/Qwen3-Coder-480B-A35B-Instruct", "code"),
        ),
    ),
    Provider(
        "wisgate", "WisGate", "https://api.wisgate.ai/v1", ("WISGATE_API_KEY", "WISDOM_GATE_KEY"),
        models=(Suggestion("gpt-5.4", "everyday"), Suggestion("gpt-5.4-mini", "fast and cheap")),
    ),
    Provider(
        "ollama", "Ollama", "http://127.0.0.1:11434/v1", ("OLLAMA_API_KEY",), ("OLLAMA_HOST",),
        port=11434,
        models=(
            Suggestion("qwen3:8b", "everyday"),
            Suggestion("gpt-oss:20b", "hard problems"),
            Suggestion("qwen3:4b", "fast and cheap"),
        ),
    ),
    Provider("vllm", "vLLM", "http://127.0.0.1:8000/v1", ("VLLM_API_KEY",), port=8000),
    Provider("sglang", "SGLang", "http://127.0.0.1:30000/v1", ("SGLANG_API_KEY",), port=30000),
    Provider(
        "llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1", ("LLAMACPP_API_KEY",), port=8080
    ),
    Provider("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", ("LM_API_TOKEN",), port=1234),
    Provider("custom", "The custom provider", "", ("CUSTOM_API_KEY",)),
)  # fmt: skip

BY_NAME = {provider.name: provider for provider in PROVIDERS}

# Which provider a model named without one belongs to.
BARE_NAMES: tuple[tuple[str, str], ...] = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("codex-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gemini"),
    ("hermes-4", "nous"),
)

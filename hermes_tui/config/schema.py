"""What may stand in `config.yaml`.

Every field has its meaning in the docstring under it; `docs/configuration.md` and
the completion of `hermes config set` show those same words.
"""

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field

Mode = Literal["read-only", "ask", "auto-edit", "full-auto"]
"""Approval modes, strictest first; `hermes_tui.safety.modes` says what each allows."""
MODES: tuple[Mode, ...] = get_args(Mode)

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Name = Annotated[str, Meta(min_length=1)]
ShortName = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}$")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+\S*$")]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping in the configuration file."""


class ModelsConfig(Section, frozen=True):
    """How models are called, whichever they are."""

    lane: Literal["auto", "direct", "litellm"] = "auto"
    """`direct` speaks the OpenAI wire itself, `litellm` goes through litellm, `auto` takes
    `direct` where the provider allows."""
    timeout_seconds: Seconds = 120.0
    """How long a provider may stay silent, before its first word and between two; five times as
    long before the first when it runs on this machine."""
    retries: Annotated[int, Meta(ge=0, le=20)] = 3
    """How often a failed call is tried again when trying again can help."""


class ProviderConfig(Section, frozen=True):
    """A provider of your own, or a change to a known one."""

    base_url: Url | None = None
    """Where its OpenAI-compatible API lives, e.g. `http://127.0.0.1:8000/v1`."""
    api_key: Name | None = None
    """Its key, best as a reference: `$NAME` is looked up in the environment, then `.env`."""
    headers: dict[str, str] = {}
    """HTTP headers sent with each request; values may be references like `$NAME`."""
    tool_calls: Literal["native", "text"] = "native"
    """`text` writes tool calls as `<tool_call>` in the reply, for models without native ones."""
    context_window: Annotated[int, Meta(ge=1024)] | None = None
    """Tokens its models can hold, where the provider does not say."""


class TerminalConfig(Section, frozen=True):
    """Where commands run."""

    backend: Name = "local"
    """The environment to use: an installed kind (`local`) or a name under `environments`."""
    cwd: Name | None = None
    """The folder commands start in; where Hermes was started when not set."""
    timeout_seconds: Seconds = 120.0
    """How long a command may run when the model names no limit."""
    pass_env: list[Name] = []
    """Environment variables commands may see besides the harmless ones (`PATH`, `HOME`, …)."""
    docker: dict[str, Any] = {}
    """What every docker environment starts from: `image`, `network`, `mounts`, `memory` and
    the like."""
    ssh: dict[str, Any] = {}
    """What every ssh environment starts from: `user`, `identity_file`, `known_hosts` and
    the like."""
    singularity: dict[str, Any] = {}
    """What every singularity environment starts from: `image`, `mounts`, `env` and the like."""
    modal: dict[str, Any] = {}
    """What every modal environment starts from: `image`, `cpus`, `memory` and the like."""
    daytona: dict[str, Any] = {}
    """What every daytona environment starts from: `image`, `cpus`, `memory` and the like."""


class AgentConfig(Section, frozen=True):
    """How the agent works."""

    max_steps: Annotated[int, Meta(ge=1, le=10_000)] = 90
    """Most model calls in one turn."""
    mode: Mode = "ask"
    """What it may do without asking; `read-only` and `ask` are the careful ones."""
    reasoning: Literal["off", "low", "high"] | None = None
    """How long a model that can think thinks first; its own habit when not set."""
    reasoning_tokens: Annotated[int, Meta(ge=128)] | None = None
    """Most tokens to think with, where the provider takes such a figure."""


class CompressionConfig(Section, frozen=True):
    """Shortening long conversations for the model; everything stays in the store."""

    enabled: bool = True
    """Whether it happens by itself; `/compress` works anyway."""
    threshold: Annotated[float, Meta(ge=0.3, le=0.9)] = 0.5
    """Share of the model's window a conversation may fill before it is shortened."""
    model: Name | None = None
    """Who writes the summaries, e.g. a cheaper model; the one that answers when not set."""


class MemoryConfig(Section, frozen=True):
    """What is remembered across sessions."""

    learn: bool = True
    """Whether Hermes looks back at what was said for lasting facts, and says what it keeps."""
    model: Name | None = None
    """Who looks back and writes notes on ended sessions; the one that answers when not set."""
    notes: Literal["abstractive", "extractive"] = "abstractive"
    """Who writes the note on a session: the model, or a rule that costs nothing."""
    embeddings: Name | None = None
    """The model whose vectors let a search find other words for the same thing, e.g.
    `ollama/nomic-embed-text`; notes, remembered items and searches are sent to it. Words only
    when not set."""
    conversation_retention: Annotated[int, Meta(ge=0)] = 180
    """Days after its last use until a session is archived, its note kept; 0 for never."""
    user: ShortName = "me"
    """Whose preferences count: the name of a file under `preferences/`."""


class SkillsConfig(Section, frozen=True):
    """Skills: procedures the agent reads when it needs them."""

    learn: bool = True
    """Whether Hermes writes and improves skills from what worked, and says so."""
    hints: bool = True
    """Whether skills that fit a prompt are pointed out to the model."""
    folders: list[Name] = field(default_factory=lambda: ["~/.agents/skills", "~/.claude/skills"])
    """Skills of other tools, read where they are and never changed."""
    keep_versions: Annotated[int, Meta(ge=1, le=1_000)] = 5
    """Versions offered by number for a roll-back, besides the first; older ones stay in the
    history."""
    audit_every: Annotated[int, Meta(ge=0)] = 15
    """After how many tasks the skills are audited in idle time; 0 for never."""
    prune_old_skills: bool = False
    """Whether idle time archives what Hermes wrote, nobody used for 90 days and seldom helped."""


class ToolsConfig(Section, frozen=True):
    """The tools the model is offered."""

    disabled: list[Name] = []
    """Names of tools it is not offered."""
    output_limit_chars: Annotated[int, Meta(ge=1_000, le=1_000_000)] = 16_000
    """Longest result the model is given; the rest stays in a file it can page through."""


class TuiConfig(Section, frozen=True):
    """The screen."""

    theme: Name | None = None
    """Its colours, by the name of a theme; Hermes's own when not set."""
    keys: dict[str, str] = {}
    """Other keys for its commands, e.g. `turn.interrupt: f8`; docs/keys.md has the names."""
    show_reasoning: bool = False
    """Whether the model's thinking stays unfolded once it has finished."""


class SecretsConfig(Section, frozen=True):
    """Where keys come from."""

    keyring: bool = False
    """Whether keys found neither in the environment nor in `.env` are looked up in the
    system's keyring."""


class LoggingConfig(Section, frozen=True):
    """The log files under `logs/`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious kind of line that is written."""


class Config(Section, frozen=True):
    """All settings, each with a value."""

    model: Name | None = None
    """The model as `provider/name`, e.g. `openrouter/nousresearch/hermes-4-405b`; `rehearsal`
    is built in and needs no key."""
    models: ModelsConfig = ModelsConfig()
    providers: dict[str, ProviderConfig] = {}
    terminal: TerminalConfig = TerminalConfig()
    environments: dict[str, dict[str, Any]] = {}
    """Named places where commands run: `{prod: {backend: ssh, host: box}}` makes `--env prod`. What
    a kind wants to know stands beside `backend`; the rest comes from `terminal.<backend>`."""
    agent: AgentConfig = AgentConfig()
    compression: CompressionConfig = CompressionConfig()
    memory: MemoryConfig = MemoryConfig()
    skills: SkillsConfig = SkillsConfig()
    tools: ToolsConfig = ToolsConfig()
    tui: TuiConfig = TuiConfig()
    secrets: SecretsConfig = SecretsConfig()
    logging: LoggingConfig = LoggingConfig()

"""Models for what is no answer: summaries, looking back, saying memory shorter."""

from collections.abc import Callable, Sequence

from hermes_tui.agent.compaction import Summary, SummaryRequest
from hermes_tui.agent.summaries import extracted, summarised
from hermes_tui.config.schema import Config
from hermes_tui.core.ports import Model
from hermes_tui.models.wrapped import close_model
from hermes_tui.store.usage import UsageLedger


class SideModels:
    """Those the configuration names, else the one that answers; rules on the rehearsal model.

    Args:
        main: The model that answers now; None for one that is no LLM.
        build: Makes a model by its name.
    """

    def __init__(
        self,
        *,
        main: Callable[[], Model | None],
        build: Callable[[str], Model],
        config: Config,
        usage: UsageLedger,
    ) -> None:
        self._main = main
        self._build = build
        self._config = config
        self._usage = usage
        self._built: dict[str, Model] = {}

    def reviewer(self) -> Model | None:
        """Who looks back at sessions and writes notes.

        Raises:
            ConfigError: `memory.model` names none.
        """
        return self._named(self._config.memory.model)

    async def summarise(self, request: SummaryRequest) -> Summary:
        """What a stretch of conversation holds.

        Raises:
            ConfigError: `compression.model` names none.
            ModelError: the model failed.
        """
        model = self._named(self._config.compression.model)
        return await summarised(model, request) if model else await extracted(request)

    async def consolidate(self, entries: Sequence[str], room: int) -> list[str]:
        """Memory said in `room` characters, where there is a model to ask.

        Raises:
            ConfigError: `memory.model` names none.
            ModelError: the model failed.
        """
        from hermes_tui.learning.consolidation import consolidated  # memory is seldom full

        model = self.reviewer()
        if model is None:
            return []
        lines, usage = await consolidated(model, entries, room)
        await self._usage.record("", usage, model.name)
        return lines

    async def close(self) -> None:
        for model in self._built.values():
            await close_model(model)

    def _named(self, name: str | None) -> Model | None:
        main = self._main()
        if main is None or name is None:
            return main
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

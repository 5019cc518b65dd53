"""A model around another one."""

from hermes_tui.core.ports import Model


class WrappedModel:
    """What passes through unchanged; what wraps adds its `stream`."""

    def __init__(self, inner: Model) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def context_window(self) -> int | None:
        return self._inner.context_window

    async def aclose(self) -> None:
        await close_model(self._inner)


async def close_model(model: Model) -> None:
    """Close a model's connections, if it holds any."""
    close = getattr(model, "aclose", None)
    if close is not None:
        await close()

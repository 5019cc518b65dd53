"""One answer of a model, for what needs no stream."""

from contextlib import aclosing

from hermes_tui.core.errors import ModelUnavailableError
from hermes_tui.core.ports import Model, ModelRequest, Reply


async def reply_of(model: Model, request: ModelRequest) -> Reply:
    """The reply to `request`, once it is whole.

    Raises:
        ModelError: the model failed, or ended without a reply.
    """
    async with aclosing(model.stream(request)) as stream:
        async for item in stream:
            if isinstance(item, Reply):
                return item
    raise ModelUnavailableError("The model ended without a reply.", hint="Try again.")

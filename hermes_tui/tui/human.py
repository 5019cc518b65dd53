"""The person at the screen, as the agent sees them."""

from collections.abc import Callable, Sequence

import anyio

from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval, ApprovalRequest

ANSWER_SECONDS = 1800.0
"""How long a request waits; after that it counts as refused."""


class PendingApproval:
    """A tool call waiting for a verdict. The first answer counts."""

    def __init__(self, request: ApprovalRequest) -> None:
        self.request = request
        self.answer: Approval | None = None
        self.answered = anyio.Event()

    def resolve(self, approval: Approval) -> None:
        if self.answer is None:
            self.answer = approval
            self.answered.set()

    def refuse(self, reason: str = "") -> None:
        self.resolve(Approval("deny", reason))


class PendingQuestion:
    """A question waiting for words. The first answer counts."""

    def __init__(
        self, question: str, choices: tuple[str, ...] = (), *, is_secret: bool = False
    ) -> None:
        self.question = question
        self.choices = choices
        self.is_secret = is_secret
        """The answer is not to be seen."""
        self.answer: str | None = None
        self.answered = anyio.Event()

    def resolve(self, text: str) -> None:
        if not self.answered.is_set():
            self.answer = text
            self.answered.set()

    def refuse(self, _reason: str = "") -> None:
        self.answered.set()


Pending = PendingApproval | PendingQuestion


class TuiHuman:
    """Implements `hermes_tui.core.ports.Human` with sheets above the prompt.

    No answer is a refusal: when the time is up, when the screen closes, and for
    every request made afterwards.
    """

    def __init__(self, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.pending: list[Pending] = []
        self.changed: Callable[[], None] = _nobody_looks
        """Called whenever `pending` is another; the chat screen shows the first entry."""
        self.told: Callable[[str], None] = _nobody_listens
        """Shows a passing line of foreign text."""
        self._answer_seconds = answer_seconds
        self._is_closed = False

    async def tell(self, text: str) -> None:
        self.told(text)

    async def approve(self, request: ApprovalRequest) -> Approval:
        pending = PendingApproval(request)
        await self._wait(pending)
        return pending.answer or Approval("deny", "Nobody answered in time.")

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        return await self._answer(PendingQuestion(question, tuple(choices)))

    async def secret(self, question: str) -> str:
        return await self._answer(PendingQuestion(question, is_secret=True))

    def close(self) -> None:
        """Refuse everything that waits or is still to come."""
        self._is_closed = True
        for pending in list(self.pending):
            pending.refuse("The screen was closed.")

    async def _answer(self, pending: PendingQuestion) -> str:
        await self._wait(pending)
        if pending.answer is None:
            raise RefusedError(
                "The person did not answer the question.", hint="Go on without the answer."
            )
        return pending.answer

    async def _wait(self, pending: Pending) -> None:
        if self._is_closed:
            pending.refuse("The screen was closed.")
            return
        self.pending.append(pending)
        self.changed()
        try:
            with anyio.move_on_after(self._answer_seconds):
                await pending.answered.wait()
        finally:
            self.pending.remove(pending)
            self.changed()


def _nobody_looks() -> None:
    """Until a screen is there."""


def _nobody_listens(_text: str) -> None:
    """Until a screen is there."""

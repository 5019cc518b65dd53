"""Whether a tool call may run: the mode decides, and where it says "ask", a person does."""

from collections.abc import Callable, Sequence

from hermes_tui.core.environment import Spot
from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import (
    Approval,
    ApprovalPending,
    ApprovalRequest,
    ApprovalResolved,
)
from hermes_tui.core.messages import ToolCall
from hermes_tui.core.ports import Emit, Human
from hermes_tui.safety.modes import Mode, decide
from hermes_tui.safety.risk import Assessment, Risk


class Approvals:
    """Asks at most once for what the person allowed for the session.

    A grant covers one tool, one scope and one environment and directory.
    """

    def __init__(self, human: Human, *, mode: Callable[[], Mode]) -> None:
        self._human = human
        self._mode = mode
        self._granted: set[tuple[str, str, str, str]] = set()

    async def __call__(
        self, call: ToolCall, action: str, assessment: Assessment, spot: Spot, emit: Emit
    ) -> None:
        """Return if the call may run.

        Raises:
            RefusedError: it may not; the message is for the model.
        """
        mode = self._mode()
        grant = (call.name, assessment.scope, spot.name, spot.cwd)
        match decide(mode, assessment.risk):
            case "allow":
                return
            case "deny" if assessment.risk is Risk.FORBIDDEN:
                await emit(ApprovalResolved(call.id, Approval("deny", assessment.reason)))
                raise RefusedError(f"Refused: {assessment.reason} No mode allows this.")
            case "deny":
                await emit(ApprovalResolved(call.id, Approval("deny", assessment.reason)))
                raise RefusedError(
                    f"Refused: {assessment.reason}",
                    hint=f"The mode is {mode}; tell the person what you wanted to do.",
                )
            case "ask" if assessment.scope and grant in self._granted:
                return
            case "ask":
                pass
        request = ApprovalRequest(
            call, action, assessment.reason, spot.name, spot.cwd, assessment.scope
        )
        await emit(ApprovalPending(request))
        approval = await self._human.approve(request)
        await emit(ApprovalResolved(call.id, approval))
        self._settle(approval, grant)

    def _settle(self, approval: Approval, grant: tuple[str, str, str, str]) -> None:
        match approval.verdict:
            case "deny":
                why = f" {approval.reason.rstrip('.')}." if approval.reason else ""
                raise RefusedError(
                    f"This call was refused.{why}",
                    hint="Do not try it again in another way; ask or go on without it.",
                )
            case "session":
                self._granted.add(grant)
            case "once":
                pass


class Nobody:
    """A `Human` for when nobody is there: refuses, and says how to allow."""

    async def tell(self, text: str) -> None:
        del text

    async def secret(self, question: str) -> str:
        raise RefusedError(f"Nobody is there to answer: {question}")

    async def approve(self, request: ApprovalRequest) -> Approval:
        del request
        return Approval(
            "deny",
            "Nobody is there to ask. `--mode auto-edit` allows changes to files below the working "
            "directory, `--mode full-auto` commands too; what lies outside, holds credentials "
            "or changes Hermes itself always has to be asked",
        )

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        del choices
        raise RefusedError(
            f"Nobody is there to answer {question!r}.",
            hint="Decide yourself and say what you assumed.",
        )

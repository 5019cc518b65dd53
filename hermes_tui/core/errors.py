"""The exceptions Hermes raises on purpose.

HermesError                       anything we can explain to the person
├── ConfigError                   a config file, flag or variable is wrong
├── NotFoundError                 a session, tool or file somebody named is not there
├── PluginError                   a named plug-in is missing or does not import
├── StoreError                    the session store cannot be read or written
├── EnvironmentUnavailableError   an execution environment cannot serve
├── RefusedError                  policy or the person said no
├── ToolError                     a tool failed in a way the model should read
└── ModelError                    the provider refused or failed
    ├── ModelAuthError            no key, or a key the provider rejects
    ├── RateLimitedError          asked to slow down; carries `retry_after`
    ├── QuotaExceededError        out of credit; retrying does not help
    ├── ContextOverflowError      the history no longer fits the window
    ├── ContentRefusedError       the provider's policy refused the content
    ├── ModelNotFoundError        the provider has no such model
    └── ModelUnavailableError     time-out, cut connection, 5xx; worth retrying
"""


class HermesError(Exception):
    """Base class. `hint` says what to do next, in one imperative sentence."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigError(HermesError):
    """A config file, flag or environment variable is wrong."""

    exit_code = 2


class NotFoundError(HermesError):
    """A session, tool or file somebody named is not there."""


class PluginError(HermesError):
    """A named plug-in is missing or does not import."""

    exit_code = 2


class StoreError(HermesError):
    """The session store cannot be read or written."""


class EnvironmentUnavailableError(HermesError):
    """An execution environment cannot serve. There is never a fallback to another one."""


class RefusedError(HermesError):
    """Policy or the person said no."""

    exit_code = 3


class ToolError(HermesError):
    """A tool failed in a way the model should read and can act on."""


class ModelError(HermesError):
    """The model provider refused or failed."""

    exit_code = 4
    is_transient = False


class ModelAuthError(ModelError):
    """No key, or a key the provider rejects."""


class RateLimitedError(ModelError):
    """Asked to slow down."""

    is_transient = True

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        """Seconds the provider asked us to wait, if it said."""


class QuotaExceededError(ModelError):
    """Out of credit; retrying does not help."""


class ContextOverflowError(ModelError):
    """The history no longer fits the model's window."""


class ContentRefusedError(ModelError):
    """The provider's policy refused the content."""


class ModelNotFoundError(ModelError):
    """The provider has no such model."""


class ModelUnavailableError(ModelError):
    """A time-out, a cut connection or a server error; worth retrying."""

    is_transient = True


def alone(error: BaseException) -> BaseException:
    """The failure that counts inside nested groups, as task groups raise them.

    That is an interruption, else the first error with an explanation, as long as
    none of the others is a bug; else `error` itself.
    """
    inner = _leaves(error)
    for leaf in inner:
        if isinstance(leaf, KeyboardInterrupt | SystemExit):
            return leaf
    is_explained = all(isinstance(leaf, HermesError) for leaf in inner)
    return inner[0] if is_explained or len(inner) == 1 else error


def _leaves(error: BaseException) -> list[BaseException]:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return [leaf for one in inner for leaf in _leaves(one)] or [error]

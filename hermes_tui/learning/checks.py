"""Which commands check something, which change something, and whether a check passed."""

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

CHANGING_TOOLS = frozenset({"write_file", "edit_file"})
_OPERATOR = re.compile(r"(&&|\|\||\|&?|;|\n|(?<![<>&])&(?![>&]))")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`|\\.")
_HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n.*?(?:\n[ \t]*\2\b|\Z)", re.DOTALL)
_MASK = "\x00"


class Check(Struct, frozen=True):
    """A kind of command that tells whether something is as it should be."""

    what: str
    pattern: str
    """What the command begins with, behind `sudo`, `uv run` and the like."""
    examples: tuple[str, ...]


CHECKS: tuple[Check, ...] = (
    Check(
        "Python tests",
        r"(?:python[\d.]* -m )?(?:pytest|py\.test|unittest|doctest|nose2|tox|nox)\b",
        ("pytest -q", "python3.11 -m unittest discover", "uv run --no-sync pytest tests/x.py"),
    ),
    Check(
        "tests of other languages",
        r"(?:jest|vitest|mocha|ava|rspec|phpunit|bats|ctest|prove|playwright test|mix test"
        r"|cypress run|rake (?:test|spec)|rails test|(?:swift|dotnet|deno|zig|flutter"
        r"|dart) test)\b",
        ("npx vitest run", "bundle exec rspec", "dotnet test"),
    ),
    Check(
        "package scripts",
        r"(?:npm|pnpm|yarn|bun)(?: run| -\S+)* [\w:-]*(?:test|lint|build|check|verify|typecheck)",
        ("npm test", "pnpm run lint:ci", "yarn -s build"),
    ),
    Check(
        "builds",
        r"(?:cargo (?:\+\S+ )?(?:test|nextest|check|clippy|build)|go (?:test|vet|build)"
        r"|(?:\./)?(?:mvnw?|gradlew?|gradle) .*(?:test|verify|build|check|package)"
        r"|ninja|cmake --build|bazel (?:test|build)|(?:swift|dotnet|zig) build|msbuild"
        r"|docker (?:buildx )?build|meson (?:test|compile)|sphinx-build|mkdocs build)\b",
        ("cargo clippy -- -D warnings", "go test ./...", "./gradlew -q check"),
    ),
    Check(
        "make targets",
        r"(?:g?make|just|task|ninja)\b.*?[ :-](?:tests?|check|lint|build|verify|all|ci)\b"
        r"|g?make(?: -\S+)*\Z",
        ("make -j4 test", "just check", "make"),
    ),
    Check(
        "linters and type checkers",
        r"(?:python[\d.]* -m )?(?:ruff check|ruff format .*--check|ruff format --diff|flake8|pylint"
        r"|mypy|pyright|basedpyright|bandit|eslint|tsc|shellcheck|hadolint|yamllint|ansible-lint"
        r"|golangci-lint|staticcheck|lint-imports|markdownlint\S*|rubocop|stylelint|actionlint"
        r"|pre-commit run|semgrep|vale|luacheck|sqlfluff lint|helm lint|cfn-lint|tflint)\b",
        ("ruff check .", "npx tsc --noEmit", "shellcheck run.sh"),
    ),
    Check(
        "syntax and configuration",
        r"(?:(?:ba|da|z|k)?sh -n\b|python[\d.]* -m (?:py_compile|compileall|json\.tool)\b"
        r"|node --check|php -l|ruby -c|perl -c|(?:nginx|apachectl|httpd|sshd|caddy) .*-?t\b"
        r"|apachectl configtest|visudo -c|caddy validate|haproxy .*-c\b|named-checkconf"
        r"|promtool check|systemd-analyze verify|docker[ -]compose .*config\b|terraform validate"
        r"|kubectl .*--dry-run|jq (?:-e|empty)\b|xmllint --noout|netplan .*generate"
        r"|agentskills validate|skills-ref validate|crontab -T)",
        ("nginx -t", "bash -n deploy.sh", "terraform validate", "jq empty config.json"),
    ),
    Check(
        "services",
        r"(?:curl\b.* (?:-\w*f\w*|--fail\S*)|wget\b.* --spider|systemctl .*(?:is-active|status)\b"
        r"|pg_isready|redis-cli .*ping|nc .*-\w*z|openssl verify|dig \+short|docker inspect .*ealth"
        r"|kubectl rollout status|kubectl wait)",
        ("curl -fsS localhost:8000/health", "systemctl is-active nginx", "pg_isready"),
    ),
    Check(
        "files",
        r"(?:test -\w|\[\[? |grep .*-\w*q|cmp |diff |(?:sha\d+|md5|b2)sum .*(?:-c\b|--check)"
        r"|git (?:diff|status) .*--(?:exit-code|quiet|check)|git fsck|git verify-\w+"
        r"|restic .*check\b|borg check|rsync .*(?:-\w*n\w*c|--checksum .*--dry-run))",
        ("test -s out.csv", "grep -q ready log.txt", "sha256sum -c SUMS"),
    ),
    Check(
        "whatever says so itself",
        r"\S+.* --(?:check|verify|validate|self-test|selftest)\b"
        r"|(?:(?:ba|z)?sh |python[\d.]* |node |ruby |perl )?\S*(?:test|check|verify|validate|lint"
        r"|smoke)\w*\.(?:sh|py|js|ts|rb|pl)\b|(?:\./|bin/|scripts?/)\S*(?:test|check|verify|lint)s?\b"
        r"|\S+ (?:check|verify|validate|lint|doctor|selftest)(?: |\Z)",
        ("black --check src", "python scripts/check_links.py", "./run-tests", "hermes doctor"),
    ),
)


def is_check(command: str) -> bool:
    """Whether one command, without pipes and the like, checks something."""
    return _checking().match(_bare(command)) is not None


def changes(command: str) -> bool:
    """Whether one command may leave something different."""
    return _changing().search(f"{_bare(command)} ") is not None


class Step(Struct, frozen=True):
    """One command of a line."""

    text: str
    is_spoken_for: bool
    """Whether the exit code of the whole line can only be 0 if it ended well."""


def steps(line: str) -> list[Step]:
    """The single commands of what was given to a shell, in order."""
    masked = _HERE_DOCUMENT.sub(_hidden, line)
    masked = _QUOTED.sub(_hidden, masked).rstrip("; \t\r\n")
    texts: list[str] = []
    joints: list[str] = []
    start = 0
    for operator in [*_OPERATOR.finditer(masked), None]:
        if text := line[start : operator.start() if operator else len(masked)].strip():
            texts.append(text)
            joints.append(operator[0] if operator else "")
        start = operator.end() if operator else start
    found: list[Step] = []
    is_chained = True
    for at in range(len(texts) - 1, -1, -1):
        is_chained = is_chained and joints[at] in {"", "&&"}
        is_sure_to_run = at == 0 or joints[at - 1] != "||"
        found.append(Step(texts[at], is_chained and is_sure_to_run))
    return found[::-1]


def outcome_of_checks(line: str, output: str, *, is_error: bool) -> Iterator[bool | None]:
    """For each command of a line, in order: a check that passed or not, or None for a change.

    Commands that do neither are left out. A check whose exit code is lost in a pipe has to
    say in words that it passed.
    """
    for step in steps(line):
        if is_check(step.text):
            if is_error:
                yield False
            else:
                yield step.is_spoken_for or (_passed(output) and not _failed(output))
        elif changes(step.text):
            yield None


def _hidden(match: re.Match[str]) -> str:
    return _MASK * len(match[0])


def _passed(output: str) -> bool:
    return _words_of_success().search(output) is not None


def _failed(output: str) -> bool:
    return _words_of_failure().search(output) is not None


def _bare(command: str) -> str:
    """A command without what only says how it is run."""
    return _wrappers().sub("", command.strip())


@cache
def _wrappers() -> re.Pattern[str]:
    return re.compile(
        r"\A(?:[({!] *|(?:if|while|until|then|do|else|time|exec|nice|nohup|env|command) +"
        r"|sudo(?: -\w+)* +|\w+=(?:\"[^\"]*\"|'[^']*'|\S*) +|timeout(?: -\S+)* +\d\S* +"
        r"|(?:uv|poetry|pdm|hatch|pipenv|rye)(?: tool)? run(?: --?[\w-]+(?:=\S+)?)* +"
        r"|(?:npx|bunx|uvx|pnpm (?:exec|dlx)|yarn dlx|bundle exec)(?: -\S+)* +"
        r"|(?:\./)?(?:\.?venv|node_modules)/(?:\.?bin)/)+"
    )


@cache
def _checking() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{check.pattern})" for check in CHECKS), re.DOTALL)


@cache
def _changing() -> re.Pattern[str]:
    return re.compile(
        r"\A(?:mv|cp|rm|rmdir|ln|chmod|chown|patch|truncate|install|tee|dd|rsync|unzip|touch)\s"
        r"|\A(?:sed|perl)\s.*-\w*i|\Atar\s.*x|(?<![0-9&<>=-])>{1,2}(?!\s*/dev/|[&(=])"
        r"|\Agit (?:apply|checkout|switch|restore|reset|merge|rebase|revert|cherry-pick|stash|pull"
        r"|am|clean)\b"
        r"|\A(?:apt(?:-get)?|dnf|yum|apk|brew|pacman|pip\d?|uv|uv pip|npm|pnpm|yarn|cargo|gem|go"
        r"|poetry|conda|snap)\s(?:.*\s)?(?:install|add|remove|uninstall|update|upgrade|sync|ci|get"
        r"|-S\w*)\s"
        r"|\A(?:systemctl|service)\s.*\b(?:start|stop|restart|reload|enable|disable)\b"
        r"|\A(?:docker|podman|kubectl|helm)\s.*\b(?:run|up|down|rm|rmi|apply|delete|create|scale"
        r"|upgrade|rollout restart)\b"
        r"|\Aterraform (?:apply|destroy)\b|\A(?:psql|sqlite3|mysql)\s.*\b(?i:update|insert|delete"
        r"|alter|create|drop)\b|--(?:fix|write|in-place)\b|\Aruff format(?!.*--(?:check|diff))"
        r"|\A(?:black|isort|prettier)\s(?!.*--check)",
        re.DOTALL,
    )


@cache
def _words_of_success() -> re.Pattern[str]:
    return re.compile(
        r"\b[1-9]\d* (?:tests? )?(?:passed|passing|ok)\b|^OK\b|\bAll checks passed|\bSuccess\b"
        r"|\b0 (?:errors?|failures?|failed|problems?)\b|\btest result: ok\b|^ok\s"
        r"|\bBUILD SUCCESS|\bno issues found\b|\bsyntax is ok\b|\b(?:is )?valid\b|\bactive\b"
        r"|\bsuccessful(?:ly)?\b|\bPASS(?:ED)?\b",
        re.MULTILINE | re.IGNORECASE,
    )


@cache
def _words_of_failure() -> re.Pattern[str]:
    return re.compile(
        r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?|errors?|problems?)\b"
        r"|\bFAIL(?:ED|URE)?\b|^E  |\bTraceback\b|\b(?:fatal|error)(?:\[\w+\])?:|\binactive\b"
        r"|\binvalid\b|\bnot valid\b|\bunsuccessful\b",
        re.MULTILINE,
    )

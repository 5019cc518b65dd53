"""Keys: where they are found, and that they do not show up elsewhere."""

import os
import sys
import threading
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config, ProviderConfig, SecretsConfig, TerminalConfig
from hermes_tui.config.secrets import Secrets, load_secrets, parse_env, write_secret
from hermes_tui.core.errors import ConfigError

KEY = "sk-0123456789abcdef"


@pytest.fixture
def paths(home: Path) -> Paths:
    home.mkdir(mode=0o700)
    return Paths(home=home, config_file=home / "config.yaml")


def write_env(paths: Paths, text: str, mode: int = 0o600) -> None:
    paths.env_file.write_text(text, "utf-8")
    paths.env_file.chmod(mode)


def test_the_environment_goes_before_the_file(paths: Paths) -> None:
    write_env(paths, "OPENAI_API_KEY=filed\nGROQ_API_KEY=filed-too\n")
    secrets = load_secrets(paths, {"OPENAI_API_KEY": "given", "GROQ_API_KEY": ""}, Config())
    assert (secrets["OPENAI_API_KEY"], secrets.place("OPENAI_API_KEY")) == ("given", "environment")
    assert (secrets["GROQ_API_KEY"], secrets.place("GROQ_API_KEY")) == ("filed-too", ".env")
    assert secrets.get("NOUS_API_KEY") is None
    assert sorted(secrets) == ["GROQ_API_KEY", "OPENAI_API_KEY"]


def test_other_variables_can_be_looked_up_but_are_not_listed(paths: Paths) -> None:
    secrets = load_secrets(paths, {"OPENAI_BASE_URL": "http://x", "PATH": "/bin"}, Config())
    assert secrets["OPENAI_BASE_URL"] == "http://x"
    assert list(secrets) == []


def test_no_value_shows_in_a_repr(paths: Paths) -> None:
    write_env(paths, f"MY_THING={KEY}\n")
    secrets = load_secrets(paths, {"OPENAI_API_KEY": KEY}, Config())
    for text in (repr(secrets), str(secrets), f"{secrets!r:>10}", str([secrets])):
        assert KEY not in text
    assert "OPENAI_API_KEY" in repr(secrets)


def test_providers_keys_are_taken_out_of_the_environment(paths: Paths) -> None:
    write_env(paths, "FILED_TOKEN=x\n")
    environ = {
        "OPENAI_API_KEY": KEY, "HF_TOKEN": "h", "FILED_TOKEN": "f", "WORK_TOKEN": "w",
        "GITHUB_TOKEN": "g", "PATH": "/bin", "WANTED_API_KEY": "p",
    }  # fmt: skip
    config = Config(
        providers={"w": ProviderConfig(api_key="$WORK_TOKEN")},
        terminal=TerminalConfig(pass_env=["WANTED_API_KEY"]),
    )
    secrets = load_secrets(paths, environ, config)
    assert set(environ) == {"GITHUB_TOKEN", "PATH", "WANTED_API_KEY"}
    assert (secrets["OPENAI_API_KEY"], secrets["WORK_TOKEN"]) == (KEY, "w")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_others_may_read_is_refused(paths: Paths, mode: int) -> None:
    write_env(paths, f"A={KEY}\n", mode)
    with pytest.raises(ConfigError, match="others may read it") as caught:
        load_secrets(paths, {}, Config())
    assert caught.value.hint == f"Run: chmod 600 {paths.env_file}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"), ("export A=x", "x"), ("  A = x  ", "x"), ("A=x # said", "x"),
        ("A=x#y", "x#y"), ("A='a # b'", "a # b"), ('A="a # b" # c', "a # b"), ("A=", ""),
        ("A=#", ""), ("A='it\\n'", "it\\n"), ('A="it\\n\\t\\"q\\" \\\\"', 'it\n\t"q" \\'),
        ("A=a=b==", "a=b=="), ("A=$B", "$B"), ("A=''", ""),
    ],
)  # fmt: skip
def test_lines_are_read_as_a_shell_would(line: str, value: str) -> None:
    assert parse_env(f"# first\n\n{line}\n", ".env") == {"A": value}


@pytest.mark.parametrize("line", ["secret-value", "A B=x", "1A=x", "A='open", 'A="x" y', "=x", "A"])
def test_a_malformed_line_is_named_but_never_quoted(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_env(f"B=1\n{line}\n", ".env")
    assert caught.value.message == ".env line 2: this is not NAME=value."
    assert "secret-value" not in str(caught.value)


def test_a_key_is_written_into_the_file_and_everything_else_stays(paths: Paths) -> None:
    write_env(paths, "# mine\nexport A_KEY=old\nB='two words' # why\n\nA_KEY=older\n")
    write_secret(paths, "A_KEY", f"  {KEY}\n")
    write_secret(paths, "C_KEY", 'with "quotes" \\ and # blanks')
    text = paths.env_file.read_text("utf-8")
    assert text.startswith(f"# mine\nA_KEY={KEY}\nB='two words' # why\n\n")
    assert text.count("A_KEY") == 1
    assert parse_env(text, "x")["C_KEY"] == 'with "quotes" \\ and # blanks'
    assert paths.env_file.stat().st_mode & 0o777 == 0o600


def test_the_first_key_makes_the_file(home: Path) -> None:
    paths = Paths(home=home, config_file=home / "config.yaml")
    write_secret(paths, "A_KEY", KEY)
    assert paths.env_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir() if path.is_file()] == [".env"]


def test_a_linked_file_stays_a_link(paths: Paths, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles-env"
    target.touch(mode=0o600)
    paths.env_file.symlink_to(target)
    write_secret(paths, "A_KEY", KEY)
    assert paths.env_file.is_symlink()
    assert KEY in target.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "value"), [("A-B", "x"), ("A", ""), ("A", "a\nb"), ("A", "\x1b[0m")]
)
def test_what_cannot_stand_in_the_file_is_refused(paths: Paths, name: str, value: str) -> None:
    with pytest.raises(ConfigError):
        write_secret(paths, name, value)
    assert not paths.env_file.exists()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1))
def test_every_printable_value_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    home = tmp_path_factory.getbasetemp() / "env-home"
    paths = Paths(home=home, config_file=home / "config.yaml")
    try:
        write_secret(paths, "A_KEY", value)
    except ConfigError:
        assert not value.strip() or not value.strip().isprintable()
    else:
        assert load_secrets(paths, {}, Config())["A_KEY"] == value.strip()


def test_two_writers_lose_nothing(paths: Paths) -> None:
    names = [f"K{number}_KEY" for number in range(12)]
    threads = [threading.Thread(target=write_secret, args=(paths, name, KEY)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(load_secrets(paths, {}, Config())) == sorted(names)


def test_references_are_filled_in() -> None:
    secrets = Secrets({"WORK_KEY": "w", "TEAM": "t"}, {})
    provider = ProviderConfig(api_key="$WORK_KEY", headers={"X": "a-${TEAM}-b", "Y": "plain"})
    filled = secrets.fill(Config(providers={"w": provider}), "w").providers["w"]
    assert (filled.api_key, filled.headers) == ("w", {"X": "a-t-b", "Y": "plain"})
    assert secrets.fill(Config(), "other") == Config()


def test_a_reference_to_nothing_is_named() -> None:
    config = Config(providers={"w": ProviderConfig(api_key="$NOT_THERE")})
    with pytest.raises(ConfigError, match=r"providers\.w\.api_key refers to \$NOT_THERE"):
        Secrets({}, {}).fill(config, "w")


def test_known_values_are_blotted_out_of_texts() -> None:
    secrets = Secrets(
        {"A_KEY": KEY, "B_TOKEN": f"{KEY}-longer", "C_KEY": "short"}, {"D": "from-the-file"}
    )
    text = secrets.redact(f"{KEY}-longer {KEY} short from-the-file")
    assert text == "[B_TOKEN] [A_KEY] short [D]"


def test_keys_written_into_the_configuration_are_blotted_out_too() -> None:
    headers = {"X-Title": "a common word", "X-Auth": "header-value"}
    provider = ProviderConfig(api_key=KEY, headers=headers)
    secrets = Secrets({}, {})
    secrets.fill(Config(providers={"mine": provider}), "mine")
    text = secrets.redact(f"{KEY}, a common word, header-value")
    assert text == "[providers.mine.api_key], a common word, [providers.mine.headers.X-Auth]"


def test_secrets_of_the_configuration_are_blotted_out_from_the_start(paths: Paths) -> None:
    environ = {"MY_MODAL": "modal-secret-value"}
    provider = ProviderConfig(api_key="sk$dollar-1", headers={"X-Title": "a common word"})
    config = Config(
        providers={"w": provider},
        terminal=TerminalConfig(daytona={"api_key": KEY}),
        environments={"m": {"backend": "modal", "token_secret": "$MY_MODAL", "cpus": 12345678}},
    )
    secrets = load_secrets(paths, environ, config)
    text = secrets.redact(f"sk$dollar-1 {KEY} modal-secret-value 12345678 a common word")
    assert text == (
        "[providers.w.api_key] [terminal.daytona.api_key] [MY_MODAL] 12345678 a common word"
    )


def test_a_key_with_a_dollar_in_it_is_no_reference() -> None:
    config = Config(providers={"w": ProviderConfig(api_key="sk$dollar")})
    assert Secrets({}, {}).fill(config, "w").providers["w"].api_key == "sk$dollar"


def test_variables_environments_are_told_of_stay_where_they_look(paths: Paths) -> None:
    write_env(paths, "MODAL_TOKEN_SECRET=m\n")
    environ = {"DAYTONA_API_KEY": KEY, "MODAL_TOKEN_SECRET": "m", "BOX_API_KEY": "b"}
    config = Config(
        terminal=TerminalConfig(modal={"token_secret": "$MODAL_TOKEN_SECRET"}),
        environments={"box": {"backend": "daytona", "api_key": "${BOX_API_KEY}"}},
    )
    before = dict(environ)
    secrets = load_secrets(paths, environ, config)
    assert environ == before
    assert secrets.redact(KEY) == "[DAYTONA_API_KEY]"


class FakeKeyring(types.ModuleType):
    """Stands in for the optional package `keyring`, which is not installed for tests."""

    def __init__(self) -> None:
        super().__init__("keyring")
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, name: str) -> str | None:
        self.asked.append((service, name))
        if name == "LOCKED_API_KEY":
            raise OSError("locked")
        return KEY if name == "NOUS_API_KEY" else None


def test_the_keyring_is_asked_last_once_and_only_when_wanted(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = FakeKeyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    write_env(paths, "OPENAI_API_KEY=filed\n")
    without = load_secrets(paths, {}, Config())
    assert without.get("NOUS_API_KEY") is None
    assert keyring.asked == []
    secrets = load_secrets(paths, {}, Config(secrets=SecretsConfig(keyring=True)))
    assert secrets["OPENAI_API_KEY"] == "filed"
    assert keyring.asked == []
    assert secrets["NOUS_API_KEY"] == secrets["NOUS_API_KEY"] == KEY
    assert secrets.place("NOUS_API_KEY") == "keyring"
    assert secrets.redact(f"with {KEY}") == "with [NOUS_API_KEY]"
    assert secrets.get("OPENAI_BASE_URL") is None
    assert keyring.asked == [("hermes", "NOUS_API_KEY")]
    with pytest.raises(ConfigError, match="keyring cannot be read: OSError"):
        secrets.get("LOCKED_API_KEY")


def test_a_keyring_that_is_not_installed_is_named(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        load_secrets(paths, dict(os.environ), Config(secrets=SecretsConfig(keyring=True)))
    assert "hermes-tui[keyring]" in caught.value.hint

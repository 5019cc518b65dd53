"""Which host an address means, and what known_hosts says about its key."""

import base64
from pathlib import Path

import pytest
from hermes_environments.ssh.hosts import (
    Address,
    KnownHosts,
    SshOptions,
    Target,
    fingerprint,
    parse_address,
    resolve,
)
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

KEY, OTHER = b"a key", b"another key"


def configure(tmp_path: Path, text: str, name: str = "config") -> Path:
    path = tmp_path / "user/.ssh" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def target(**settings: object) -> Target:
    return resolve(SshOptions(**settings), environment="box")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("box", Address("box")),
        ("me@box", Address("box", "me")),
        ("me@box:2222", Address("box", "me", 2222)),
        ("ssh://me@box.example.org:22", Address("box.example.org", "me", 22)),
        ("me@corp.org@box", Address("box", "me@corp.org")),
        ("10.0.0.1:22", Address("10.0.0.1", "", 22)),
        ("::1", Address("::1")),
        ("[fe80::1%eth0]:22", Address("fe80::1%eth0", "", 22)),
        ("under_score", Address("under_score")),
        ("bücher.example", Address("bücher.example")),
    ],
)
def test_an_address_is_taken_apart(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "-oProxyCommand=id", "me@-oProxyCommand=id", "a b", "a;b", "a\nb", "$(id)", "`id`"),
        *("a:b", "box:0", "box:99999", "-l@box", "a'b", "box:22:", "@box", "me@", "a/b", "a|b"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="does not name a host"):
        parse_address(text)


@given(st.text(max_size=30))
def test_no_name_could_be_taken_for_an_option_or_more_than_one_word(text: str) -> None:
    try:
        address = parse_address(text)
    except ConfigError:
        return
    for name in (address.host, address.user):
        assert not name.startswith("-")
        assert not set(name) & set(" \t\n'\"`;&|<>(){}*?!#~\0")
        assert "$(" not in name


def test_the_persons_own_configuration_completes_an_address(tmp_path: Path) -> None:
    configure(
        tmp_path,
        "Host prod\n  HostName 10.1.2.3\n  User deploy\n  Port 2200\n"
        "  IdentityFile ~/.ssh/prod\n  UserKnownHostsFile ~/.ssh/a ~/.ssh/b\n"
        "  StrictHostKeyChecking yes\n  IdentitiesOnly yes\n  HashKnownHosts yes\n"
        "Host *\n  User nobody\n",
    )
    found = target(target="prod")
    folder = tmp_path / "user/.ssh"

    assert (found.host, found.user, found.port) == ("10.1.2.3", "deploy", 2200)
    assert found.known_as == "[10.1.2.3]:2200"
    assert found.identity_files == (folder / "prod",)
    assert found.known_hosts == (folder / "a", folder / "b")
    assert (found.may_ask, found.are_others_tried) == (False, False)
    assert found.hashes_names
    assert found.label == "deploy@10.1.2.3 port 2200"
    assert target(host="other").user == "nobody"


def test_what_is_asked_for_wins_over_settings_and_these_over_the_configuration(
    tmp_path: Path,
) -> None:
    configure(tmp_path, "Host prod\n  User deploy\n  Port 2200\n")

    found = target(target="me@prod:1", host="other", user="you", port=2)
    assert (found.host, found.user, found.port) == ("prod", "me", 1)
    found = target(host="me@prod:1", user="you", port=2)
    assert (found.host, found.user, found.port) == ("prod", "you", 2)
    found = target(host="prod")
    assert (found.user, found.port) == ("deploy", 2200)


def test_included_files_count_where_they_are_included(tmp_path: Path) -> None:
    configure(tmp_path, "Include conf.d/*\nUser last\nInclude loop\n")
    configure(tmp_path, "Host a\n  User from_a\n", "conf.d/a")
    configure(tmp_path, "Host b\n  Port 77\n", "conf.d/b")
    configure(tmp_path, "Include loop\n", "loop")

    assert target(target="a").user == "from_a"
    assert (target(target="b").user, target(target="b").port) == ("last", 77)
    assert target(target="c").user == "last"


def test_rules_of_match_are_followed_also_those_that_ask_a_command(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    configure(
        tmp_path,
        f'Match host a exec "echo %h >> {asked}; cat"\n  User in_a\n'
        "Match host b !exec false\n  User in_b\nMatch host c exec false\n  User in_c\n"
        "Match user in_b\n  Port 9\nHost *\n  User other\n",
    )

    users = [target(target=host).user for host in "abc"]
    assert users == ["in_a", "in_b", "other"]
    assert target(target="b").port == 9
    assert set(asked.read_text(encoding="utf-8").split()) == {"a"}


def test_hosts_in_between_are_found_in_their_order(tmp_path: Path) -> None:
    configure(
        tmp_path,
        "Host inner\n  ProxyJump outer\nHost outer\n  HostName out.example\n  User gate\n"
        "Host far\n  ProxyJump me@one:1,two\nHost two\n  ProxyJump ignored\n",
    )
    inner = target(target="inner")
    assert inner.via is not None
    assert (inner.via.host, inner.via.user, inner.via.via) == ("out.example", "gate", None)
    far = target(target="far")
    assert far.via is not None
    assert far.via.via is not None
    assert (far.via.host, far.via.via.label, far.via.via.via) == ("two", "me@one port 1", None)
    assert target(target="inner", proxy_jump="none").via is None
    elsewhere = target(target="inner", proxy_jump="x").via
    assert elsewhere is not None
    assert elsewhere.host == "x"


def test_a_host_in_between_for_all_is_not_in_between_for_itself(tmp_path: Path) -> None:
    configure(tmp_path, "Host *\n  ProxyJump gate\n")

    via = target(target="box").via
    assert via is not None
    assert (via.host, via.via) == ("gate", None)


def test_a_way_in_a_circle_is_refused(tmp_path: Path) -> None:
    configure(tmp_path, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")

    with pytest.raises(ConfigError, match="in a circle"):
        target(target="a")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Host a\n  ProxyCommand nc %h %p\n", "ProxyCommand"),
        ("Nonsense\n", "cannot be understood"),
        ("Host 'a\n", "cannot be understood"),
        ("Host a\n  ProxyJump -oX=y\n", "does not name a host"),
        ("Host a\n  Port many\n", "is no port"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    configure(tmp_path, text)

    with pytest.raises(ConfigError, match=reason):
        target(target="a")


def test_without_a_host_or_with_a_key_file_that_is_missing_it_is_said() -> None:
    with pytest.raises(ConfigError, match="names no host"):
        target()
    with pytest.raises(ConfigError, match="no key file"):
        target(host="box", identity_file="/nowhere/key")


def known(tmp_path: Path, text: str, name: str = "box.example") -> KnownHosts:
    path = tmp_path / "known"
    path.write_text(text, encoding="utf-8")
    return KnownHosts(Target(host="h", port=22, user="u", known_as=name, known_hosts=(path,)))


def line(names: str, key: bytes, kind: str = "ssh-ed25519") -> str:
    return f"{names} {kind} {base64.b64encode(key).decode()} a comment\n"


@pytest.mark.parametrize(
    "names", ["box.example", "a,box.example", "*.example", "b?x.*", "BOX.example", "!a,*.example"]
)
def test_a_key_is_known_by_any_of_the_hosts_names(tmp_path: Path, names: str) -> None:
    entries = known(tmp_path, line(names, KEY))

    assert entries.standing(KEY) == "known"
    assert entries.standing(OTHER) == "changed"
    assert entries.kinds == ["ssh-ed25519"]


@pytest.mark.parametrize("names", ["box", "other.example", "!box.example,*", "|1|x|y", "|1|", "# "])
def test_another_hosts_key_says_nothing(tmp_path: Path, names: str) -> None:
    assert (
        known(tmp_path, line(names, KEY) + "broken\nbox.example t %\n").standing(KEY) == "unknown"
    )


def test_a_revoked_key_is_never_trusted(tmp_path: Path) -> None:
    entries = known(tmp_path, line("box.example", KEY) + line("@revoked *", KEY))

    assert entries.standing(KEY) == "revoked"


def test_a_key_of_another_type_does_not_make_a_known_host_new(tmp_path: Path) -> None:
    assert known(tmp_path, line("box.example", KEY, "ssh-rsa")).standing(OTHER) == "changed"


def test_a_port_is_part_of_the_name(tmp_path: Path) -> None:
    assert known(tmp_path, line("[box.example]:22", KEY)).standing(KEY) == "unknown"
    assert known(tmp_path, line("[box]:7", KEY), "[box]:7").standing(KEY) == "known"
    assert known(tmp_path, line("b:7", KEY), "[box]:7").standing(KEY) == "unknown"


@pytest.mark.parametrize("is_hashed", [False, True])
def test_what_is_remembered_is_known_and_nothing_else_is_lost(
    tmp_path: Path, is_hashed: bool
) -> None:
    path = tmp_path / "new/known"
    place = Target(
        host="h",
        port=22,
        user="u",
        known_as="[box]:7",
        known_hosts=(path,),
        hashes_names=is_hashed,
    )
    KnownHosts(place).remember("ssh-ed25519", KEY)
    path.write_bytes(path.read_bytes().rstrip())
    KnownHosts(place).remember("ssh-rsa", OTHER)

    assert KnownHosts(place).standing(KEY) == KnownHosts(place).standing(OTHER) == "known"
    assert ("box" in path.read_text(encoding="utf-8")) != is_hashed
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_known_hosts_that_cannot_be_read_or_written_are_an_error(tmp_path: Path) -> None:
    place = Target(host="h", port=22, user="u", known_as="box", known_hosts=(tmp_path,))

    with pytest.raises(EnvironmentUnavailableError, match="cannot be read"):
        KnownHosts(place)
    (tmp_path / "file").touch()
    place = Target(host="h", port=22, user="u", known_as="b", known_hosts=(tmp_path / "file/x",))
    with pytest.raises(EnvironmentUnavailableError, match=r"cannot be (read|kept)"):
        KnownHosts(place).remember("ssh-rsa", KEY)


def test_fingerprints_look_as_openssh_shows_them() -> None:
    assert fingerprint(b"") == "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"


def test_an_alias_with_capitals_is_the_name_in_known_hosts(tmp_path: Path) -> None:
    path = configure(tmp_path, line("Prod", KEY), "known_hosts")
    configure(tmp_path, "Host box\n  HostKeyAlias Prod\n")

    place = target(host="box", known_hosts=str(path))

    assert KnownHosts(place).standing(KEY) == "known"
    assert KnownHosts(place).standing(OTHER) == "changed"

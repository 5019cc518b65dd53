import pytest

from hermes_tui.config.schema import Config
from hermes_tui.core.errors import ConfigError
from hermes_tui.runtime.environments import environment_kinds, kind_of


def test_every_built_in_kind_is_installed() -> None:
    expected = {"local", "docker", "ssh", "singularity", "modal", "daytona"}
    assert expected <= set(environment_kinds())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ssh:me@box", "ssh"),
        ("apptainer", "singularity"),
        ("apptainer:box.sif", "singularity"),
        ("prod", "ssh"),
        ("lab", "singularity"),
    ],
)
def test_a_name_says_its_kind(name: str, kind: str) -> None:
    places = {"prod": {"backend": "ssh"}, "lab": {"backend": "apptainer"}}
    assert kind_of(name, Config(environments=places)) == kind


def test_a_place_without_a_backend_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'environments\.prod' needs a 'backend'"):
        kind_of("prod", Config(environments={"prod": {}}))

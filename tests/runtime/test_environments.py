from pathlib import Path

import pytest

from hermes_tui.config.paths import find_paths
from hermes_tui.config.schema import Config, TerminalConfig
from hermes_tui.core.errors import ConfigError
from hermes_tui.runtime.environments import (
    build_environment,
    environment_kinds,
    is_known,
    kind_of,
)
from hermes_tui.runtime.named_settings import BACKEND, problem_with


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


@pytest.mark.parametrize("name", ["prod", "apptainer", "apptainer:box.sif", "ssh:me@box"])
def test_a_place_a_kind_and_another_name_for_one_are_known(name: str) -> None:
    assert is_known(name, Config(environments={"prod": {"backend": "ssh"}}))
    assert not is_known("mars", Config())
    backend = Config(environments={"prod": {}}, terminal=TerminalConfig(backend=name))
    assert problem_with(BACKEND, backend) is None


@pytest.mark.parametrize(("kind", "is_right"), [("apptainer", True), ("mars", False), ("", False)])
def test_a_place_may_be_of_any_installed_kind(kind: str, is_right: bool) -> None:
    config = Config(environments={"m": {"backend": kind}})
    assert (problem_with(("environments", "m", "backend"), config) is None) is is_right


def test_a_package_brings_an_environment_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "pods-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: pods\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[hermes_tui.environments]\npods = our_pods:Pods\n")
    (tmp_path / "our_pods.py").write_text(
        "from hermes_environments.local import LocalEnvironment\n"
        "class Pods(LocalEnvironment): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "pods" in environment_kinds()
    made = build_environment("pods", config=Config(), paths=find_paths({}), cwd=tmp_path)
    assert type(made).__name__ == "Pods"

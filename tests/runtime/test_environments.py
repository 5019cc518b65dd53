import sys
from pathlib import Path
from typing import Any

import pytest

from hermes_tui.config.paths import find_paths
from hermes_tui.config.schema import Config, TerminalConfig
from hermes_tui.core.errors import ConfigError, PluginError
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


@pytest.mark.parametrize("body", ["raise ValueError('no kettle')", "class Pods: pass"])
def test_what_is_wrong_with_a_package_is_said_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    installed = tmp_path / "jars-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: jars\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[hermes_tui.environments]\njars = our_jars:Pods\n")
    (tmp_path / "our_jars.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "our_jars", raising=False)
    with pytest.raises(
        PluginError, match=r"'jars' cannot be loaded: (ValueError: no|TypeErr)"
    ) as e:
        build_environment("jars", config=Config(), paths=find_paths({}), cwd=tmp_path)
    assert "our_jars:Pods" in e.value.hint


def test_variables_of_a_place_are_added_to_those_of_its_kind(tmp_path: Path) -> None:
    config = Config(
        terminal=TerminalConfig(docker={"env": {"A": "1", "B": "2"}, "network": "none"}),
        environments={"web": {"backend": "docker", "env": {"B": "3", "C": "4"}}},
    )
    made: Any = build_environment("web", config=config, paths=find_paths({}), cwd=tmp_path)
    assert made._options.env == {"A": "1", "B": "3", "C": "4"}
    assert made._options.network == "none"


def test_a_place_whose_backend_is_not_there_names_that(tmp_path: Path) -> None:
    config = Config(environments={"u": {"backend": "nosuch"}})
    with pytest.raises(ConfigError, match=r"'environments\.u\.backend' names 'nosuch'"):
        build_environment("u", config=config, paths=find_paths({}), cwd=tmp_path)


def test_a_place_with_a_comma_in_its_name_could_not_be_named(tmp_path: Path) -> None:
    config = Config(environments={"a,b": {"backend": "local"}})
    problem = problem_with(("environments", "a,b", "backend"), config)
    assert problem is not None
    assert "'a,b'" in problem.message
    with pytest.raises(ConfigError, match="commas stand between names"):
        build_environment("a,b", config=config, paths=find_paths({}), cwd=tmp_path)


def test_this_machine_has_no_targets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'local:foo' names no environment"):
        build_environment("local:foo", config=Config(), paths=find_paths({}), cwd=tmp_path)


def test_a_secret_setting_may_stand_in_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAYTONA_API_KEY", raising=False)
    paths = find_paths({"HERMES_HOME": str(tmp_path)})
    paths.env_file.write_text("DAYTONA_API_KEY=usual\nMY_KEY=own\n")
    paths.env_file.chmod(0o600)
    places = {
        "usual": {"backend": "daytona"},
        "own": {"backend": "daytona", "api_key": "$MY_KEY"},
        "plain": {"backend": "daytona", "api_key": "as-it-is"},
    }
    config = Config(environments=places)
    for name, key in {"usual": "usual", "own": "own", "plain": "as-it-is"}.items():
        made: Any = build_environment(name, config=config, paths=paths, cwd=tmp_path)
        assert made._options.api_key == key
    monkeypatch.setenv("DAYTONA_API_KEY", "exported")
    exported: Any = build_environment("usual", config=config, paths=paths, cwd=tmp_path)
    assert exported._options.api_key == "$DAYTONA_API_KEY"

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes_tui.config.logs import log_to


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers, root.level = before, level


def test_lines_and_tracebacks_are_written_without_secrets(tmp_path: Path) -> None:
    log_to(tmp_path, level="info", redact=lambda line: line.replace("sk-123", "[KEY]"))
    logging.getLogger("anything").debug("too fine")
    try:
        raise ValueError("key sk-123")
    except ValueError:
        logging.getLogger("library").exception("failed with sk-123")
    text = (tmp_path / "hermes.log").read_text("utf-8")
    assert "failed with [KEY]" in text
    assert "ValueError: key [KEY]" in text
    assert "too fine" not in text
    assert (tmp_path / "hermes.log").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    log_to(tmp_path / "absent", level="info", redact=str)

"""Finding model servers on this machine."""

import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import anyio
import pytest

from hermes_tui.models.local_servers import LocalModel, LocalServer, find_local_servers, title_of
from tests.doubles.openai_server import Answer, serve


@contextmanager
def silent_port() -> Generator[int, None, None]:
    """A port where somebody listens and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_servers_are_found_with_models_sizes_and_windows() -> None:
    async with serve() as ollama, serve() as vllm, serve() as llamacpp:
        ollama.paths["/api/tags"] = {"models": [{"name": "qwen3:8b", "size": 5_200_000_000}]}
        vllm.models = [{"id": "hermes", "max_model_len": 32_768}]
        llamacpp.models = [{"id": "model.gguf", "meta": {"n_ctx_train": 4096, "size": 7}}]
        ports = {"ollama": ollama.port, "vllm": vllm.port, "llamacpp": llamacpp.port}
        found = await find_local_servers(timeout=5, ports=ports)
    assert found == [
        LocalServer(
            "ollama",
            f"http://127.0.0.1:{ollama.port}/v1",
            (LocalModel("qwen3:8b", None, 5_200_000_000),),
        ),
        LocalServer("vllm", f"http://127.0.0.1:{vllm.port}/v1", (LocalModel("hermes", 32_768),)),
        LocalServer(
            "llamacpp",
            f"http://127.0.0.1:{llamacpp.port}/v1",
            (LocalModel("model.gguf", 4096, 7),),
        ),
    ]
    assert [title_of(one) for one in found] == ["Ollama", "vLLM", "llama.cpp"]


async def test_where_nothing_listens_nothing_is_found() -> None:
    assert await find_local_servers(timeout=5, ports={"vllm": closed_port()}) == []


async def test_silent_servers_cost_one_time_limit_however_many_they_are() -> None:
    with ExitStack() as stack:
        names = ("vllm", "sglang", "llamacpp", "lmstudio", "ollama")
        ports = {name: stack.enter_context(silent_port()) for name in names}
        started = anyio.current_time()
        assert await find_local_servers(timeout=0.2, ports=ports) == []
        assert anyio.current_time() - started < 0.8


@pytest.mark.parametrize("answer", [{}, {"data": "none"}, {"data": [1, {"no": "id"}]}])
async def test_something_else_on_the_port_is_no_model_server(answer: dict[str, object]) -> None:
    async with serve() as server:
        server.paths["/api/tags"] = answer
        found = await find_local_servers(timeout=5, ports={"ollama": server.port})
    assert found == []


async def test_a_server_that_cannot_list_is_not_offered() -> None:
    async with serve(Answer()) as server:
        assert await find_local_servers(timeout=5, ports={"ollama": server.port}) == []

"""Getting a package from wherever a source names."""

import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.skills.containers import opened
from hermes_tui.skills.git_source import FETCH_SECONDS, Progress, fetch
from hermes_tui.skills.packages import MAX_PACKAGE_BYTES, Package, unpacked
from hermes_tui.skills.sources import Source

MAX_REDIRECTS = 5


async def package_of(source: Source, progress: Progress | None = None) -> Package:
    """The skills `source` holds. Nothing of it is left on disk or run.

    Raises:
        NotFoundError: there is no such place, or no skill in it.
        ConfigError: it is no archive, is damaged, or too large.
        HermesError: it cannot be reached in time.
    """
    if source.kind in {"folder", "file"}:
        return await anyio.to_thread.run_sync(_read, Path(source.place), source.inside)
    with tempfile.TemporaryDirectory(prefix="hermes-skills-") as name:
        folder = Path(name)
        if source.kind == "download":
            file = folder / (Path(urlsplit(source.place).path).name or "package")
            await _download(source.place, file, progress)
            return await anyio.to_thread.run_sync(_read, file, source.inside)
        fetched = await fetch(source, folder / "git", progress)

        def read() -> Package:
            with fetched.entries(source.inside) as entries:
                return unpacked(entries, inside=source.inside)

        return await anyio.to_thread.run_sync(read)


def _read(path: Path, inside: str) -> Package:
    with opened(path) as entries:
        return unpacked(entries, inside=inside)


async def _download(address: str, file: Path, progress: Progress | None) -> None:
    import httpx  # a second of CPU that folders and repositories need not pay

    try:
        with anyio.fail_after(FETCH_SECONDS):
            async with (
                httpx.AsyncClient(follow_redirects=False, timeout=30) as client,
                await anyio.open_file(file, "wb") as written,
            ):
                for _ in range(MAX_REDIRECTS):
                    async with client.stream("GET", address) as response:
                        if response.next_request is not None:
                            address = str(response.next_request.url)
                            _check_scheme(address)
                            continue
                        if not response.is_success:
                            raise NotFoundError(
                                f"{address} answers {response.status_code}.",
                                hint="Check the address.",
                            )
                        size = 0
                        async for chunk in response.aiter_bytes(65_536):
                            size += len(chunk)
                            _check_size(address, size)
                            await written.write(chunk)
                            if progress is not None:
                                await progress(size)
                        return
    except TimeoutError:
        raise HermesError(
            f"{address} did not answer within {FETCH_SECONDS} seconds.", hint="Try again."
        ) from None
    except httpx.HTTPError as error:
        raise HermesError(f"{address} cannot be reached: {error}.", hint="Try again.") from error
    raise HermesError(f"{address} leads on and on.", hint="Name where the file really is.")


def _check_scheme(address: str) -> None:
    if not address.startswith("https://"):
        raise ConfigError("It leads to an address that is not https.", hint="Get it yourself.")


def _check_size(address: str, size: int) -> None:
    if size > MAX_PACKAGE_BYTES:
        raise ConfigError(
            f"{address} has more than {MAX_PACKAGE_BYTES // 2**20} MB.",
            hint="Get it yourself and name the folder a skill is in.",
        )

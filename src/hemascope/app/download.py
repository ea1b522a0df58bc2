"""Files from the network: whole or not at all, and every way it can fail said in words."""

from __future__ import annotations

import errno
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from hemascope.core.errors import OutputError, WeightsError
from hemascope.core.version import __version__

CHUNK = 1 << 20
TIMEOUT_S = 60.0
TOKEN_HOST = "huggingface.co"
"""The only place a token is sent to, and not to where it redirects."""

OnBytes = Callable[[int, int | None], None]
"""Called as bytes arrive: how many so far, and how many there will be, where that is known."""


def download(url: str, path: Path, token: str = "", on_bytes: OnBytes | None = None) -> None:
    """Fetch a file.

    Parameters
    ----------
    path
        Where it goes; it appears when all of it is there.
    token
        What lets the user in at ``TOKEN_HOST``, or "".
    on_bytes
        Progress.

    Raises
    ------
    WeightsError
        If it cannot be fetched, or ends early.
    OutputError
        If it cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with urllib.request.urlopen(_request(url, token), timeout=TIMEOUT_S) as answer:  # noqa: S310  (see _request)
            _save(answer, partial, _length(answer), on_bytes or (lambda done, total: None))
        partial.replace(path)
    except urllib.error.HTTPError as error:
        raise WeightsError(f"{url}: {_refusal(error.code)}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise WeightsError(
            f"{url}: cannot be fetched ({reason}); try again, or fetch it on another machine and name it with --from"
        ) from error
    except OSError as error:
        raise OutputError.at(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free where a folder is or will be."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free


def _request(url: str, token: str) -> urllib.request.Request:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http"):
        raise WeightsError(f"{url}: no address of the web; name a file on this machine with --from")
    request = urllib.request.Request(url, headers={"User-Agent": f"hemascope/{__version__}"})  # noqa: S310
    if token and parts.scheme == "https" and parts.hostname == TOKEN_HOST:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _length(answer: http.client.HTTPResponse) -> int | None:
    stated = answer.headers.get("Content-Length", "")
    return int(stated) if stated.isdecimal() else None


def _save(answer: http.client.HTTPResponse, path: Path, total: int | None, on_bytes: OnBytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if total is not None and total > free_bytes(path.parent):
        raise OSError(errno.ENOSPC, "No space left on device")
    with path.open("wb") as file:
        done = _copy(answer, file, total, on_bytes)
    if total is not None and done != total:
        raise http.client.IncompleteRead(b"", total - done)


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, total: int | None, on_bytes: OnBytes) -> int:
    done = 0
    while chunk := answer.read(CHUNK):
        file.write(chunk)
        done += len(chunk)
        on_bytes(done, total)
    return done


def _refusal(status: int) -> str:
    if status in (401, 403):
        return (
            f"refused (status {status}): its makers let people in one by one; ask for access on its page, and set "
            "HEMASCOPE_HUB_TOKEN to a token of yours"
        )
    if status == 404:
        return "is not there (status 404); fetch it by hand and name it with --from"
    return f"cannot be fetched (status {status}); try again later, or fetch it by hand and name it with --from"

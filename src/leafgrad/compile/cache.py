"""Machine code on disk, so that a program's second run does not compile.

An entry is a file named by the hash of everything that the code depends on: the LLVM IR (which has
all of leafgrad's part in it), the versions of leafgrad, llvmlite and LLVM, the processor and its
features. It starts with a checksum of the rest: what is cut short, damaged or of another kind is
not used, and is written anew. Files are written under a name of their own and renamed, so several
processes can share the folder. Once in a while the entries that were not used for longest are
removed, down to `LIMIT` bytes.

The folder is that of the platform for such things: `$XDG_CACHE_HOME/leafgrad` or
`~/.cache/leafgrad`, `~/Library/Caches/leafgrad`, `%LOCALAPPDATA%\\leafgrad\\Cache`. The
environment variable LEAFGRAD_CACHE names another one; `LEAFGRAD_CACHE=0` (or `off`) switches the
cache off. A folder that others can write to is not used. Nothing here raises: where the folder
cannot be read or written, everything is compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable

from ..version import __version__

LIMIT = 256 << 20  # bytes of all entries together
_TIDY = 64  # entries written by this process between two looks at the size
_MAGIC = b"leafgrad machine code 1\n"
_DIGEST = 32

_written = 0


def folder() -> str | None:
    """Where entries are, or None if the cache is switched off."""
    named = os.environ.get("LEAFGRAD_CACHE")
    if named is not None:
        off = named.strip().lower() in ("", "0", "off", "no", "false")
        return None if off else os.path.expanduser(named)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        found = os.path.join(local, "leafgrad", "Cache")
    elif sys.platform == "darwin":
        found = os.path.join(home, "Library", "Caches", "leafgrad")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
        found = os.path.join(base, "leafgrad")
    return found if os.path.isabs(found) else None  # there is no home


def key(*parts: object) -> str:
    """A name for what is made from these, and from this version of leafgrad."""
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
    return digest.hexdigest()


def get(name: str) -> bytes | None:
    """An entry, if it is there and whole."""
    place = folder()
    if place is None:
        return None
    path = os.path.join(place, f"{name}.o")
    try:
        if not _ours(place):
            return None
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    start = len(_MAGIC) + _DIGEST
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != _checksum(name, body):
        return None
    with contextlib.suppress(OSError):  # used now: the last to be removed
        os.utime(path)
    return body


def put(name: str, body: bytes) -> None:
    """Writes an entry."""
    global _written
    place = folder()
    if place is None:
        return
    temporary = None
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        if not _ours(place):
            return
        import tempfile

        handle, temporary = tempfile.mkstemp(dir=place, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + _checksum(name, body) + body)
        os.replace(temporary, os.path.join(place, f"{name}.o"))
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return
    if _written % _TIDY == 0:
        tidy(LIMIT)
    _written += 1


def tidy(limit: int) -> None:
    """Removes the entries that were not used for longest, until the rest is within the limit."""
    place = folder()
    if place is None:
        return
    entries = []
    try:
        with os.scandir(place) as found:
            for each in found:
                if each.name.endswith((".o", ".tmp")):
                    with contextlib.suppress(OSError):
                        entries.append((each.stat().st_mtime, each.stat().st_size, each.path))
    except OSError:
        return
    for path in _too_much(sorted(entries), limit):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _too_much(entries: list[tuple[float, int, str]], limit: int) -> Iterable[str]:
    """The oldest entries, as many as are over the limit; and what a killed process left behind."""
    import time

    old = time.time() - 3600
    total = sum(size for _, size, _ in entries)
    for modified, size, path in entries:
        if path.endswith(".tmp"):
            if modified < old:
                yield path
        elif total > limit:
            total -= size
            yield path


def _checksum(name: str, body: bytes) -> bytes:
    return hashlib.sha256(name.encode() + body).digest()


def _ours(place: str) -> bool:
    """Whether the folder is the user's own: code that will run must not come from others."""
    if not hasattr(os, "getuid"):
        return True
    found = os.stat(place)
    return found.st_uid == os.getuid() and not found.st_mode & 0o002

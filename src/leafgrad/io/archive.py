"""The zip archive of a checkpoint, as PyTorch lays it out.

Every member is stored uncompressed with its bytes at a multiple of 64, so that a file can be mapped into
memory; all lie in a folder named after the file. Writing is atomic: a temporary file takes the old
one's place when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

ALIGNMENT = 64
_HEADER = 30  # bytes of a member's header before its name
_LARGE = 1 << 31


class ArchiveWriter:
    """Writes members into an open file."""

    def __init__(self, file: IO[bytes], folder: str) -> None:
        self.folder = folder
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: Any) -> None:
        """Write a member; `data` is bytes, or a contiguous array."""
        content = memoryview(data).cast("B") if len(data) else b""
        member = zipfile.ZipInfo(f"{self.folder}/{name}")
        position = self._zip.fp.tell()  # type: ignore[union-attr]
        padding = -(position + _HEADER + len(member.filename.encode()) + 4) % ALIGNMENT
        member.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
        member.file_size = len(content)
        with self._zip.open(member, "w", force_zip64=len(content) >= _LARGE) as out:
            out.write(content)

    def close(self) -> None:
        """Write the directory at the end."""
        self._zip.close()


class ArchiveReader:
    """Reads members of an open file; `path`, if known, is for mapping it into memory."""

    def __init__(self, file: IO[bytes], path: str | None) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise RuntimeError(
                "PytorchStreamReader failed reading zip archive: failed finding central directory\n"
                f"  why: {error}; the file is damaged, or no checkpoint"
            ) from None
        self.path = path
        roots = [n for n in self._zip.namelist() if n.endswith("/data.pkl")]
        if len(roots) != 1:
            raise RuntimeError("PytorchStreamReader failed locating file data.pkl: file not found")
        self.folder = roots[0].removesuffix("/data.pkl")

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return f"{self.folder}/{name}" in self._zip.NameToInfo

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            member = self._zip.getinfo(f"{self.folder}/{name}")
        except KeyError:
            raise RuntimeError(
                f"PytorchStreamReader failed locating file {name}: file not found"
            ) from None
        if member.compress_type != zipfile.ZIP_STORED:  # a small file could unpack to any size
            raise RuntimeError(
                f"PytorchStreamReader failed reading file {name}: members must not be compressed"
            )
        return member

    def read(self, name: str) -> bytes:
        """A member's bytes, checked against its checksum."""
        with _damage(name):
            return self._zip.read(self._member(name))

    def array(self, name: str, mapped: bool) -> Any:
        """A member's bytes as an array of uint8, writable; of the file itself if `mapped`."""
        member = self._member(name)
        if mapped and member.file_size:
            return np.memmap(
                self.path or "", np.uint8, "c", self._begin(member), (member.file_size,)
            )
        with _damage(name), self._zip.open(member) as source:
            out = np.empty(member.file_size, np.uint8)
            view, place = memoryview(out), 0  # type: ignore[arg-type]
            while place < len(view):
                count = source.readinto(view[place:])  # type: ignore[attr-defined]
                if not count:
                    raise zipfile.BadZipFile("it ends too early")
                place += count
            source.read(1)  # the end, where the checksum is compared
        return out

    def _begin(self, member: zipfile.ZipInfo) -> int:
        """Where the bytes of a member begin in the file: after its own header."""
        file: Any = self._zip.fp
        file.seek(member.header_offset)
        header = file.read(_HEADER)
        if len(header) < _HEADER or header[:4] != b"PK\x03\x04":
            raise RuntimeError("PytorchStreamReader failed: a member's header is damaged")
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        return member.header_offset + _HEADER + lengths  # type: ignore[no-any-return]


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise RuntimeError(f"PytorchStreamReader failed reading file {name}: {error}") from error


@contextlib.contextmanager
def replacing(path: Any) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the block ends without an error."""
    path = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Where in the user's program something happened: from a frame to the exact source expression.

Recording keeps two things, a code object and an instruction offset. Only a drawing, an error or
an explanation turns them into text, by `code.co_positions()` (PEP 657) and the source file.
"""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import warnings
from types import CodeType, FrameType
from typing import Any, ClassVar, NoReturn

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_PROGRAMS = os.path.join(_PACKAGE, "programs") + os.sep  # shown to users as their own code
_COPY = os.path.join(os.path.dirname(os.__file__), "copy.py")  # calls __deepcopy__ for the user


class _Internal(dict[str, bool]):
    """File name -> whether it is leafgrad's own code (or `copy`), asked once."""

    def __missing__(self, filename: str) -> bool:
        own = filename.startswith(_PACKAGE) and not filename.startswith(_PROGRAMS)
        own = own or filename == _COPY
        self[filename] = own
        return own


INTERNAL = _Internal()


def user_frame(frame: FrameType) -> FrameType:
    """The innermost frame, from `frame` outwards, that is not leafgrad's own code."""
    outer: FrameType | None = frame
    while outer is not None and INTERNAL[outer.f_code.co_filename]:
        outer = outer.f_back
    return frame if outer is None else outer


def here() -> tuple[CodeType, int]:
    """The mark of the user's expression that is being computed now."""
    frame = user_frame(sys._getframe(1))
    return frame.f_code, frame.f_lasti


class Source:
    """One expression of the user's program.

    expression: its exact text, or None where the source is not available (a prompt, `exec`)
    filename, lineno, end_lineno, col_offset, end_col_offset: where it stands (lines from 1,
    columns in characters from 0); function: the name of the function around it
    """

    __slots__ = ("col_offset", "end_col_offset", "end_lineno", "expression", "filename",
                 "function", "lineno")  # fmt: skip

    def __init__(self, code: CodeType, offset: int) -> None:
        self.filename, self.function = code.co_filename, code.co_qualname
        positions = list(code.co_positions())
        line, end, col, end_col = positions[offset // 2] if offset >= 0 else (None,) * 4
        self.lineno: int = line or code.co_firstlineno
        self.end_lineno: int = end or self.lineno
        self.col_offset: int | None = None
        self.end_col_offset: int | None = None
        self.expression: str | None = None
        if line is not None and col is not None and end_col is not None:
            line, col = _whole_call(self.filename, line, col, self.end_lineno, end_col)
            self.lineno = line
        text = linecache.getlines(self.filename)[self.lineno - 1 : self.end_lineno]
        if text and col is not None and end_col is not None:
            first, last = text[0].encode(), text[-1].encode()  # columns count UTF-8 bytes
            self.col_offset = len(first[:col].decode(errors="ignore"))
            self.end_col_offset = len(last[:end_col].decode(errors="ignore"))
            text[-1] = text[-1][: self.end_col_offset]
            text[0] = text[0][self.col_offset :]
            self.expression = " ".join(part.strip() for part in text)
            if self.expression.startswith(("for ", "with ", "async ")):
                self.expression = _head(self.filename, self.lineno) or self.expression

    @property
    def line(self) -> str:
        """The text of the line on which the expression begins."""
        return linecache.getline(self.filename, self.lineno).rstrip()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names that the statement assigns, if the expression is all of its right side."""
        for statement in _statements(self.filename):
            value = getattr(statement, "value", None)
            if value is None or value.lineno != self.lineno or value.end_lineno != self.end_lineno:
                continue
            first, last = self._byte_columns()
            if (value.col_offset, value.end_col_offset) != (first, last):
                continue
            places = statement.targets if isinstance(statement, ast.Assign) else [
                getattr(statement, "target", None)]  # fmt: skip
            return tuple(ast.unparse(p) for p in places if p is not None)
        return ()

    def _byte_columns(self) -> tuple[int, int]:
        first = linecache.getline(self.filename, self.lineno)[: self.col_offset]
        last = linecache.getline(self.filename, self.end_lineno)[: self.end_col_offset]
        return len(first.encode()), len(last.encode())

    def __str__(self) -> str:
        where = f"{os.path.basename(self.filename)}, line {self.lineno}"
        return f"`{self.expression}` ({where})" if self.expression else where


def _whole_call(filename: str, line: int, col: int, end: int, end_col: int) -> tuple[int, int]:
    """Where a method call begins. In a chain over several lines, Python 3.11 gives the position
    of the method's name instead."""
    before = linecache.getline(filename, line).encode()[:col].rstrip()
    if not before.endswith(b"."):
        return line, col
    starts = [
        (node.lineno, node.col_offset)
        for node in parsed(filename)
        if isinstance(node, ast.Call) and (node.end_lineno, node.end_col_offset) == (end, end_col)
    ]
    return max((s for s in starts if s < (line, col)), default=(line, col))


def _head(filename: str, line: int) -> str:
    """Of a `for` or `with` statement, which is one place for Python, the part before its body."""
    blocks = (ast.For, ast.AsyncFor, ast.With, ast.AsyncWith)
    for node in parsed(filename):
        if isinstance(node, blocks) and node.lineno == line:
            return ast.unparse(node).partition("\n")[0]
    return ""


@functools.lru_cache(maxsize=64)
def parsed(filename: str) -> list[Any]:
    """All nodes of a source file's syntax tree."""
    try:
        return list(ast.walk(ast.parse("".join(linecache.getlines(filename)))))
    except SyntaxError:
        return []


def _statements(filename: str) -> list[Any]:
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr)
    return [node for node in parsed(filename) if isinstance(node, kinds)]


def where(mark: tuple[CodeType, int] | None) -> str:
    """A mark as text: `` `a + b` (script.py, line 3)``, or "unknown"."""
    return "unknown" if mark is None else str(Source(*mark))


class Warnings:
    """Whether what PyTorch warns of once a process is warned of always, and what was already."""

    always = False
    told: ClassVar[set[str]] = set()


def warn_once(message: str, stacklevel: int) -> None:
    """Give a warning the first time, or always after `set_warn_always(True)`."""
    if Warnings.always or message not in Warnings.told:
        Warnings.told.add(message)
        warnings.warn(message, stacklevel=stacklevel + 1)


def fail(kind: type[Exception], sentence: str, *more: str) -> NoReturn:
    """Raise `kind` with PyTorch's sentence, then the user's expression, then advice."""
    raise failure(kind, sentence, *more)


def failure(kind: type[Exception], sentence: str, *more: str) -> Exception:
    """The exception that `fail` raises."""
    return kind("\n".join([sentence, f"  here: {where(here())}", *(f"  {m}" for m in more)]))

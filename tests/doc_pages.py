"""Running the programs that stand in documentation pages."""

import contextlib
import io
import re
import warnings
from pathlib import Path


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """The code blocks of a page in these languages, as (language, text without indentation)."""
    wanted = "|".join(languages)
    found = re.findall(rf"^( *)```({wanted})\n(.*?)^ *```$", page, re.S | re.M)
    return [(kind, re.sub(rf"^{indent}", "", text, flags=re.M)) for indent, kind, text in found]


def run(program: str, folder: Path) -> tuple[str, str]:
    """A program's printed output, and what it raised or warned: type and whole text."""
    path = folder / "program.py"
    path.write_text(program)
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            exec(compile(program, str(path), "exec"), {"__name__": "__main__"})
        except Exception as error:
            return printed.getvalue(), f"{type(error).__name__}: {error}"
    told = [f"{w.category.__name__}: {w.message}" for w in caught]
    return printed.getvalue(), "\n".join(told)

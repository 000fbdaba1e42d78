"""The errors that are asked about most: `docs/errors/` has a page for each, and the pages are true.

Every page's program is run and its whole message compared with the one printed there. The message
begins with PyTorch's own, recorded from PyTorch 2.13 with the same program (data/errors_asked.json).
"""

import json
import re
import warnings
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "docs" / "errors"
PYTORCH = json.loads((Path(__file__).parent / "data" / "errors_asked.json").read_text())


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, re.S | re.M)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def message(program: str, folder: Path) -> str:
    """What a program raises or warns: the exception's type and whole text; "" if nothing."""
    path = folder / "program.py"
    path.write_text(program)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(compile(program, str(path), "exec"), {"__name__": "__main__"})
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "\n".join(f"{w.category.__name__}: {w.message}" for w in caught)


def page_of(slug: str) -> str:
    return (PAGES / f"{slug}.md").read_text()


@pytest.mark.parametrize("slug", PYTORCH)
def test_the_page_prints_what_its_program_raises(slug, tmp_path):
    page = page_of(slug)
    program = blocks(page, "python")[0]
    (printed,) = blocks(page, "text")
    assert message(program, tmp_path) == printed.rstrip("\n")


@pytest.mark.parametrize("slug", PYTORCH)
def test_pytorchs_message_comes_first_then_where_and_what_to_do(slug):
    (printed,) = blocks(page_of(slug), "text")
    assert printed.startswith(PYTORCH[slug])
    more = printed[len(PYTORCH[slug]) :].splitlines()
    assert more[0] == "" and all(line.startswith("  ") for line in more[1:])
    where = [line for line in more if re.search(r"program\.py, line \d+\)", line)]
    assert where or slug == "device-not-there"  # raised where no graph is known
    told = "to do: " in printed or re.search(r"You can clarify|you can make a clone", printed)
    assert told


@pytest.mark.parametrize("slug", PYTORCH)
def test_the_mended_programs_run(slug, tmp_path):
    mended = blocks(page_of(slug), "python")[1:]
    assert mended
    for program in mended:
        assert message(program, tmp_path) == ""


def test_every_page_is_listed():
    index = (PAGES / "README.md").read_text()
    listed = re.findall(r"^- \[.+\]\((.+)\.md\)$", index, re.M)
    assert listed == list(PYTORCH)
    assert {p.stem for p in PAGES.glob("*.md")} == {*listed, "README"}
    for slug in listed:
        title = page_of(slug).splitlines()[0].removeprefix("# ")
        assert f"- [{title}]({slug}.md)" in index

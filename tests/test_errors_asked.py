"""The errors that are asked about most: `docs/errors/` has a page for each, and the pages are true.

Every page's program is run and its whole message compared with the one printed there. The message
begins with PyTorch's own, recorded from PyTorch 2.13 with the same program (data/errors_asked.json).
"""

import json
import re
from pathlib import Path

import pytest

from doc_pages import blocks, run

PAGES = Path(__file__).parent.parent / "docs" / "errors"
PYTORCH = json.loads((Path(__file__).parent / "data" / "errors_asked.json").read_text())


def page_of(slug: str) -> str:
    return (PAGES / f"{slug}.md").read_text()


def programs(slug: str) -> list[str]:
    return [text for _, text in blocks(page_of(slug), "python")]


def printed(slug: str) -> str:
    ((_, text),) = blocks(page_of(slug), "text")
    return text.rstrip("\n")


@pytest.mark.parametrize("slug", PYTORCH)
def test_the_page_prints_what_its_program_raises(slug, tmp_path):
    _, message = run(programs(slug)[0], tmp_path)
    assert message == printed(slug)


@pytest.mark.parametrize("slug", PYTORCH)
def test_pytorchs_message_comes_first_then_where_and_what_to_do(slug):
    message = printed(slug)
    assert message.startswith(PYTORCH[slug])
    more = message[len(PYTORCH[slug]) :].splitlines()
    assert more[0] == "" and all(line.startswith("  ") for line in more[1:])
    where = [line for line in more if re.search(r"program\.py, line \d+\)", line)]
    assert where or slug == "device-not-there"  # raised where no graph is known
    assert "  to do: " in message or re.search("You can clarify|you can make a clone", message)


@pytest.mark.parametrize("slug", PYTORCH)
def test_the_mended_programs_run(slug, tmp_path):
    mended = programs(slug)[1:]
    assert mended
    for number, program in enumerate(mended):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert run(program, folder)[1] == ""


def test_every_page_is_listed():
    index = (PAGES / "README.md").read_text()
    listed = re.findall(r"^- \[.+\]\((.+)\.md\)$", index, re.M)
    assert listed == list(PYTORCH)
    assert {p.stem for p in PAGES.glob("*.md")} == {*listed, "README"}
    for slug in listed:
        title = page_of(slug).splitlines()[0].removeprefix("# ")
        assert f"- [{title}]({slug}.md)" in index

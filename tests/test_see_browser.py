"""The report in a real browser: headless Chromium opens it, uses it, and tells what it finds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leafgrad.see.report import to_html
from leafgrad.see.snapshot import GNode, Graph, Source, Summary
from see_samples import curve, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason=f"NOT TESTED IN A BROWSER: none of {', '.join(BROWSERS)} is installed",
    ),
]

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0",
    "--virtual-time-budget=5000",
]  # fmt: skip


def browse(folder: Path, html: str, script: str, *flags: str) -> Any:
    """Open `html`, run `script` (the body of a JavaScript function) in it, return its result.

    Fails if the page wrote anything to the console: errors, warnings, blocked requests.
    """
    probe = (
        "<script>addEventListener('error', e => document.body.dataset.error = e.message);"
        "setTimeout(async () => { let found; try { found = await (async () => {"
        + script
        + "})() } catch (e) { found = {error: String(e)} }"
        "document.body.dataset.found = JSON.stringify(found) }, 400)</script>"
    )
    page = folder / "page.html"
    page.write_text(html.replace("</body>", probe + "</body>"), encoding="utf-8")
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, "--window-size=1400,1000", *flags,
         f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said
    assert 'data-error="' not in done.stdout
    found = re.search(r'<body[^>]* data-found="([^"]*)"', done.stdout)
    assert found, done.stdout[-500:]
    result = json.loads(unescape(found[1]))
    assert not (isinstance(result, dict) and "error" in result), result
    return result


STATE = """
    const state = () => ({
        now: $("now").textContent.replace(/\\s+/g, " "),
        slider: $("slider").value,
        fit: document.querySelector("#fit path.fit").getAttribute("d"),
        loss: document.querySelector("#loss .marker").getAttribute("x1"),
        theta: document.querySelector("#parameters .marker").getAttribute("x1"),
        row: $("table").querySelectorAll("tbody td")[1].textContent,
    });
    const press = (key, on = document.body) =>
        on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const wait = ms => new Promise(done => setTimeout(done, ms));
"""


def test_the_slider_moves_everything(tmp_path):
    states = browse(tmp_path, to_html(run()), STATE + """
        const all = [state()];
        $("slider").value = 3; $("slider").dispatchEvent(new Event("input")); all.push(state());
        press("ArrowRight"); all.push(state());
        press("Home"); all.push(state());
        press("ArrowLeft"); all.push(state());
        press("End"); all.push(state());
        const loss = document.querySelector("#loss rect.clickable");
        const box = loss.getBoundingClientRect(), clientX = box.left + box.width * 200 / 499;
        loss.dispatchEvent(new PointerEvent("click", { clientX }));
        all.push(state());
        return all;
    """)  # fmt: skip
    last, third, fourth, first, before, end, clicked = states
    given = run()
    at = {m.epoch: m for m in given.moments}
    for state, epoch in [(last, 499), (third, 3), (fourth, 4), (first, 0), (clicked, 200)]:
        assert state["now"].startswith(f"epoch {epoch}loss {at[epoch].loss:.6f}theta [")
        theta = at[epoch].parameters["theta"]
        assert state["row"] == f"{theta[0]:.5f}".replace("-", "−")
        ys = [float(y) for y in re.findall(r"[ML][\d.-]+ ([\d.-]+)", state["fit"])]
        # The page's curve is the fit, up to the scale of the plot.
        fit = at[epoch].fit[np.linspace(0, 999, 500).round().astype(int)]
        assert np.corrcoef(ys, -fit)[0, 1] > 0.9999
    assert before == first and end == last
    for key in ("fit", "loss", "theta", "row"):
        assert len({state[key] for state in (last, third, fourth, first, clicked)}) == 5


def test_playing_runs_to_the_end_and_can_be_stopped(tmp_path):
    found = browse(tmp_path, to_html(run()), STATE + """
        const label = () => $("play").getAttribute("aria-label");
        press(" "); await wait(600); const early = state().slider, playing = label();
        press(" "); await wait(50); const stopped = state().slider; await wait(300);
        const still = state().slider;
        $("play").click(); await wait(9000);
        return { early, playing, stopped, still, end: state().slider, after: label() };
    """, "--virtual-time-budget=20000")  # fmt: skip
    assert 0 < int(found["early"]) < 40 and found["playing"] == "Pause"
    assert found["stopped"] == found["still"]
    assert found["end"] == str(len(run().moments) - 1) and found["after"] == "Play"


def test_nodes_and_expressions_lead_to_each_other(tmp_path):
    found = browse(tmp_path, to_html(run()), STATE + """
        const group = id => document.querySelector(`#graph .lg-node[data-node="${id}"]`);
        const chosen = () => ({
            title: document.querySelector("#details h3").textContent,
            text: $("details").textContent,
            marked: [...$("source").querySelectorAll(".on")].map(s => s.textContent).join(""),
            node: document.querySelector("#graph .lg-selected").dataset.node,
        });
        const all = [chosen()];
        for (const node of D.graph.nodes) {
            group(node.id).dispatchEvent(new MouseEvent("click", { bubbles: true }));
            all.push(chosen());
        }
        const spans = [...$("source").querySelectorAll("[data-node]")];
        const span = spans.find(s => s.textContent.includes("loss_fn"));
        span.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        all.push(chosen());
        group(3).focus(); press("ArrowUp", document.activeElement); all.push(chosen());
        press("ArrowDown", document.activeElement); all.push(chosen());
        $("details").querySelector("button.link").click(); all.push(chosen());
        return all;
    """)  # fmt: skip
    graph = curve()
    first, *each, clicked, up, down, linked = found
    assert first["title"] == "loss" and clicked["node"] == str(len(graph.nodes) - 1)
    for node, seen in zip(graph.nodes, each, strict=True):
        assert seen["node"] == str(node.id)
        assert seen["marked"] == (node.source.expression if node.source else "")
        assert node.type in seen["text"] and node.op in seen["text"]
        for edge in graph.edges:
            if edge.dst == node.id and edge.differentiable:
                assert f"= {edge.factor}" in seen["text"]
    assert (up["node"], down["node"], linked["node"]) == ("1", "3", "1")


def test_texts_of_the_program_stay_texts(tmp_path):
    evil = "<img src=x onerror='window.pwned=1'></script><script>window.pwned=2</script>"
    node = GNode(0, "root", evil, evil, evil, (1,), evil, Source(evil, "p.py", 1, evil, 0, 1, 9),
                 value=Summary((), evil, evil))  # fmt: skip
    html = to_html(run(title=evil, source=f"{evil}\n", filename="p.py", graph=Graph((node,), ()),
                       parameters={evil: np.zeros(500)}, true_parameters={evil: 1.0}))  # fmt: skip
    found = browse(tmp_path, html, """
        return { pwned: window.pwned || 0, images: document.images.length,
                 title: document.querySelector("h1").textContent,
                 node: document.querySelector("#details h3").textContent,
                 parameter: $("table").querySelector("td").textContent };
    """)  # fmt: skip
    assert (found["pwned"], found["images"]) == (0, 0)
    assert found["title"] == found["node"] == found["parameter"] == evil


@pytest.mark.parametrize(
    "changes",
    [
        {"graph": None, "source": "", "truth": None, "parameters": {}, "true_parameters": {}},
        {"graph": None},
        {"source": ""},
        {"losses": [1.0, float("nan"), float("inf")] * 100 + [0.5] * 200},
        {"x": np.full(1000, 3.0), "y": np.zeros(1000)},
    ],
    ids=["bare", "no graph", "no source", "not finite", "constant"],
)
def test_reports_with_less_in_them_open(changes, tmp_path):
    found = browse(tmp_path, to_html(run(**changes)), """
        const seen = id => $(id).offsetParent !== null;
        return { plots: document.querySelectorAll(".plot > div > svg").length,
                 graph: seen("graph"), source: seen("source"), parameters: seen("parameters"),
                 bad: [...document.querySelectorAll("svg *")].filter(e =>
                     [...e.attributes].some(a => /NaN|Infinity|undefined/.test(a.value))).length };
    """)  # fmt: skip
    assert found == {
        "plots": 2 if "parameters" in changes else 3,
        "graph": changes.get("graph", True) is not None,
        "source": changes.get("source", "some") != "",
        "parameters": "parameters" not in changes,
        "bad": 0,
    }


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_the_page_fits_its_window(width, tmp_path):
    frame = f"<body><iframe style='border:0;width:{width}px;height:900px'></iframe></body>"
    html = json.dumps(to_html(run())).replace("<", "\\u003c")
    found = browse(tmp_path, frame, f"""
        const frame = document.querySelector("iframe");
        frame.srcdoc = {html};
        await new Promise(done => frame.addEventListener("load", done));
        await new Promise(done => setTimeout(done, 800));
        const page = frame.contentDocument, wide = page.documentElement.clientWidth;
        const outside = [...page.querySelectorAll("main .card, header *, .bar *, .plot svg")]
            .filter(e => e.getBoundingClientRect().right > wide + 1).length;
        const text = page.querySelector("#graph .lg-expr").getBoundingClientRect().height;
        return {{ inner: page.documentElement.scrollWidth, wide, outside, text }};
    """)  # fmt: skip
    assert found["inner"] == found["wide"] and width - 20 < found["wide"] <= width
    assert found["outside"] == 0
    assert found["text"] > 8  # the graph's small print can be read


def test_dark_and_light(tmp_path):
    script = """
        const style = getComputedStyle(document.body);
        const shown = () => [style.backgroundColor, style.color];
        const all = [shown()];
        for (let i = 0; i < 3; i++) { $("theme").click(); all.push(shown()); }
        return all;
    """
    auto, light, dark, again = browse(tmp_path, to_html(run()), script)
    assert auto == again == light and dark[0] != light[0] and dark[1] != light[1]

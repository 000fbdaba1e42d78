"""What an import costs, and that imports point downwards: tests, not hopes."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src" / "leafgrad"

# From the ground up. A module may import from its own room and from those before it.
ROOMS = [
    {"dtypes", "device", "duck", "generator", "layouts", "parallel", "printing", "sums"},
    {"graph", "tensor", "protocols", "return_types"},
    {"ops", "legacy"},
    {"amp", "autograd", "backends", "compile", "cpu", "cuda", "distributions", "fft", "func",
     "io", "linalg", "masked", "nn", "optim",
     "profiler", "random", "serialization", "signal", "special", "utils", "version"},
    {"explaining", "see"},
    {""},  # the public namespace
    {"programs", "run", "cli", "__main__"},
]  # fmt: skip
RANK = {name: rank for rank, room in enumerate(ROOMS) for name in room}


def imported(path: Path):
    """(line, top-level part of leafgrad) of every import in a file, nested ones too."""
    module = path.relative_to(PACKAGE.parent).with_suffix("").parts
    package = module if path.name == "__init__.py" else module[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            full = (*base, *(node.module.split(".") if node.module else ()))
            if path.name == "__init__.py" and node.level:
                full = (*module[:-1][: len(module) - node.level],
                        *(node.module.split(".") if node.module else ()))  # fmt: skip
            if full[:1] == ("leafgrad",):
                parts = full[1:] or tuple(alias.name for alias in node.names)[:1]
                yield node.lineno, parts[0]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "leafgrad":
                    yield node.lineno, parts[1] if len(parts) > 1 else ""


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def test_every_module_has_a_room():
    unknown = {room_of(p) for p in PACKAGE.rglob("*.py")} - set(RANK)
    assert not unknown, unknown


def test_imports_point_downwards():
    upward = []
    for path in sorted(PACKAGE.rglob("*.py")):
        mine = RANK[room_of(path)]
        for line, name in imported(path):
            target = name if name in RANK else ""
            if RANK[target] > mine:
                upward.append(f"{path.relative_to(PACKAGE)}:{line} imports {name or 'leafgrad'}")
    assert not upward, "\n".join(upward)


def test_import_loads_numpy_and_the_standard_library_only():
    code = (
        "import sys; import numpy; before = set(sys.modules); import leafgrad; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    new = set(done.stdout.split()) - {"leafgrad"}
    assert new <= sys.stdlib_module_names, new - sys.stdlib_module_names


def test_import_is_light():
    heavy = ["scipy", "asyncio", "unittest", "http", "email", "numpy.random", "leafgrad.nn",
             "leafgrad.see", "leafgrad.optim"]  # fmt: skip
    code = f"import sys, leafgrad; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names_exist():
    import leafgrad

    missing = [name for name in leafgrad.__all__ if not hasattr(leafgrad, name)]
    assert not missing
    assert len(leafgrad.__all__) == len(set(leafgrad.__all__))

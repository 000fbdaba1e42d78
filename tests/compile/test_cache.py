"""The disk cache of machine code: whole entries or none, whoever else writes."""

import os
import subprocess
import sys

import pytest

from leafgrad.compile import cache


@pytest.fixture
def place(monkeypatch, tmp_path):
    folder = tmp_path / "a" / "b"
    monkeypatch.setenv("LEAFGRAD_CACHE", str(folder))
    return folder


def files(place):
    return sorted(p.name for p in place.iterdir())


def test_what_was_put_is_found(place):
    name = cache.key("text", "cpu")
    assert cache.get(name) is None
    cache.put(name, b"\x00code\xff" * 100)
    assert cache.get(name) == b"\x00code\xff" * 100
    assert files(place) == [f"{name}.o"]


def test_a_key_depends_on_every_part():
    names = {cache.key("a", "b"), cache.key("ab", ""), cache.key("a", "b", ""), cache.key("b", "a")}
    assert len(names) == 4
    assert cache.key("a", "b") in names


def test_a_key_depends_on_the_version(monkeypatch):
    before = cache.key("a")
    monkeypatch.setattr(cache, "__version__", "99")
    assert cache.key("a") != before


@pytest.mark.parametrize("damage", ["cut", "flip", "other", "empty", "head"])
def test_damaged_entries_are_not_used(place, damage):
    name = cache.key("text")
    cache.put(name, b"code" * 50)
    path = place / f"{name}.o"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-3]
    elif damage == "flip":
        data[-10] ^= 1
    elif damage == "head":
        data[3] ^= 1
    elif damage == "empty":
        data = bytearray()
    else:  # a whole entry, under another's name
        cache.put(cache.key("other"), b"code" * 50)
        data = bytearray((place / f"{cache.key('other')}.o").read_bytes())
    path.write_bytes(data)
    assert cache.get(name) is None
    cache.put(name, b"new")
    assert cache.get(name) == b"new"


@pytest.mark.parametrize("off", ["0", "off", "", "No"])
def test_it_can_be_switched_off(monkeypatch, tmp_path, off):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEAFGRAD_CACHE", off)
    assert cache.folder() is None
    cache.put(cache.key("a"), b"code")
    assert cache.get(cache.key("a")) is None
    assert not list(tmp_path.iterdir())


def test_folders_of_the_platforms(monkeypatch, tmp_path):
    monkeypatch.delenv("LEAFGRAD_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.folder() == str(tmp_path / ".cache/leafgrad")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.folder() == str(tmp_path / "x/leafgrad")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.folder() == str(tmp_path / "Library/Caches/leafgrad")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.folder() == str(tmp_path / "local/leafgrad/Cache")


def test_a_folder_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LEAFGRAD_CACHE", str(tmp_path / "file" / "folder"))
    cache.put(cache.key("a"), b"code")
    assert cache.get(cache.key("a")) is None
    cache.tidy(0)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no modes of files here")
def test_code_from_others_is_not_run(place):
    name = cache.key("a")
    cache.put(name, b"code")
    place.chmod(0o777)
    assert cache.get(name) is None
    cache.put(cache.key("b"), b"code")
    assert files(place) == [f"{name}.o"]
    place.chmod(0o700)
    assert cache.get(name) == b"code"


def test_the_oldest_go_first(place):
    names = [cache.key(i) for i in range(6)]
    for age, name in enumerate(names):
        cache.put(name, b"x" * 1000)
        os.utime(place / f"{name}.o", (1e9 + age, 1e9 + age))
    assert cache.get(names[0]) is not None  # used just now
    cache.tidy(3500)
    assert [cache.get(n) is not None for n in names] == [True, False, False, False, True, True]


def test_what_a_killed_process_left(place):
    cache.put(cache.key("a"), b"code")
    left, fresh = place / "left.tmp", place / "fresh.tmp"
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    cache.tidy(1 << 20)
    assert not left.exists() and fresh.exists()
    assert cache.get(cache.key("a")) == b"code"


def test_writes_keep_the_size_in_bounds(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 20_000)
    for i in range(3 * cache._TIDY):
        cache.put(cache.key(i), b"x" * 1000)
    assert sum(p.stat().st_size for p in place.iterdir()) < 20_000 + cache._TIDY * 1100


def test_several_processes_at_once(place):
    script = """
import sys
from leafgrad.compile import cache
for i in range(300):
    name = cache.key(i % 10)
    found = cache.get(name)
    assert found in (None, (b"%d" % (i % 10)) * 5000), "half an entry"
    cache.put(name, (b"%d" % (i % 10)) * 5000)
    if i % 50 == 7:
        cache.tidy(20_000)
"""
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [p.wait(60) for p in running] == [0, 0, 0]
    assert not [name for name in files(place) if name.endswith(".tmp")]

"""Tests of compiled code leave the user's cache alone."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """A folder for this run: the code of one test may serve the next."""
    folder = tmp_path_factory.getbasetemp() / "machine code"
    monkeypatch.setenv("LEAFGRAD_CACHE", str(folder))
    return folder

"""torch.version: which CUDA this was built for (none)."""

from . import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip"]
debug, cuda, hip, git_version = False, None, None, ""

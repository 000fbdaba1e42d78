"""torch.version: the version, and which CUDA this was built for (none)."""

__all__ = ["__version__", "cuda", "debug", "git_version", "hip"]
__version__ = "0.1.0"
debug, cuda, hip, git_version = False, None, None, ""

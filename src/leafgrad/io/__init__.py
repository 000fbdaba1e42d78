"""Checkpoints: PyTorch's own files (`leafgrad.save`, `leafgrad.load`) and safetensors."""

"""Arithmetic: + - * / and their relatives, elementwise with broadcasting and type promotion."""

from __future__ import annotations

import numpy as np

from ..graph.operator import dunder, op
from ..tensor import Tensor

__all__ = ["mul", "sin", "exp"]
METHODS = ("mul",)
IN_PLACE = ("mul",)
ALIASES = {"multiply": "mul"}


@op(promote="same")
def add_plain(input, other):
    """input + other, elementwise."""
    return np.add(input, other)


add_plain.vjp(input=lambda g: g, other=lambda g: g)


@op(promote="same")
def mul(input, other):
    """input · other, elementwise."""
    return np.multiply(input, other)


mul.vjp(input=lambda g, other: g * other, other=lambda g, input: g * input)


@op(promote="float")
def sin(input):
    """Sine, elementwise."""
    return np.sin(input)


sin.vjp(input=lambda g, input: g * np.cos(input))


@op(promote="float")
def exp(input):
    """e to the power of each element."""
    return np.exp(input)


exp.vjp(input=lambda g, out: g * out)

Tensor.__mul__ = Tensor.__rmul__ = dunder(mul)
Tensor.__add__ = Tensor.__radd__ = dunder(add_plain)
Tensor.__imul__ = lambda self, other: self.mul_(other)

NUMPY = {np.multiply: mul, np.add: add_plain, np.sin: sin, np.exp: exp}

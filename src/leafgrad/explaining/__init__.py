"""Explanations: why a gradient is None, zero, NaN or huge, and what made it.

answer   what `leafgrad.explain` returns: plain values with a readable text
ask      the questions, in their order
walk     the gradient at every node, and the contribution of every path
kept     what a graph keeps for the backward pass
"""

"""Seeing graphs and training: a snapshot of a recorded graph, and its drawings.

capture   the graph behind a tensor -> snapshot.Graph
names     what the program's text calls the values
symbols   operators' signs, and their derivatives as short texts
snapshot  Graph: plain values, JSON both ways
text      Graph -> terminal, DOT, Mermaid
svg       Graph -> picture
layout    where boxes and edges go
report    a training run -> one HTML file
"""

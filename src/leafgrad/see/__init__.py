"""Seeing graphs and training: a snapshot of a recorded graph, and its drawings.

capture      the graph behind a tensor -> snapshot.Graph
names        what the program's text calls the values
modules      which module recorded a node
symbols      operators' signs, formulas and derivatives as short texts
formula      such texts -> MathML, LaTeX
snapshot     Graph: plain values, JSON both ways
text         Graph -> terminal, DOT, Mermaid
svg          Graph -> picture
layout       where boxes and edges go
folding      modules, loops, sections: groups that fold
simpler      a graph without its views
page         Graph -> interactive page (page.html, page.css, page.js)
report       a training run -> one HTML file (report.html)
listen       being told of backward passes and optimizers' steps
recorder     leafgrad.report: any training -> report
watching     leafgrad.watch: the graphs of several iterations
mathematics  leafgrad.latex, leafgrad.sympy
"""

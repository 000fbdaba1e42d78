"""Trees of tuples, lists and dictionaries: taken apart into their leaves, and put together again.

>>> leaves, spec = tree_flatten({"a": 1, "b": (2, 3)})
>>> leaves
[1, 2, 3]
>>> tree_unflatten([10, 20, 30], spec)
{'a': 10, 'b': (20, 30)}

Tuples, lists, dictionaries, their kin in `collections`, named tuples and what functions with
several results return are nodes; all else is a leaf, None too.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

__all__ = ["TreeSpec", "broadcast_to_tree", "pretty", "tree_flatten", "tree_leaves", "tree_map",
           "tree_map_", "tree_map_only", "tree_structure", "tree_unflatten"]  # fmt: skip

_SEQUENCES = (tuple, list, deque)
_MAPPINGS = (dict, OrderedDict, defaultdict)


class TreeSpec:
    """The structure of a tree: the type of its node, what else that needs, and the parts' specs.

    context: the keys of a dictionary, the class of a named tuple; kind: None for a leaf
    """

    __slots__ = ("children", "context", "kind", "num_leaves")

    def __init__(self, kind: Any, context: Any, children: list[TreeSpec]) -> None:
        self.kind, self.context, self.children = kind, context, children
        self.num_leaves = 1 if kind is None else sum(c.num_leaves for c in children)  # type: ignore[has-type]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.kind is other.kind
            and self.context == other.context
            and self.children == other.children
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self, indent: int = 0) -> str:
        if self.kind is None:
            return "*"
        named = self.kind is not tuple and issubclass(self.kind, tuple)
        several = named and hasattr(self.kind, "_fields")
        name = "namedtuple" if several else self.kind.__name__
        context = repr(self.kind if several else self.context)
        parts = [child.__repr__(indent + 2) for child in self.children]
        if not parts:
            return f"TreeSpec({name}, {context}, [])"
        between = ",\n" + " " * (indent + 2)
        return (
            f"TreeSpec({name}, {context}, [{parts[0]}"
            + "".join(between + part for part in parts[1:])
            + "])"
        )

    def unflatten(self, leaves: Any) -> Any:
        """The tree of this structure with these leaves."""
        return _built(self, iter(leaves))


LEAF = TreeSpec(None, None, [])


def pretty(spec: TreeSpec) -> str:
    """A structure as a tree of stars."""
    if spec.kind is None:
        return "*"
    parts = [pretty(child) for child in spec.children]
    if spec.kind is list:
        return f"[{', '.join(parts)}]"
    if spec.kind in _MAPPINGS:
        keys = spec.context[1] if spec.kind is defaultdict else spec.context
        return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(keys, parts, strict=True)) + "}"
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _parts(tree: Any) -> tuple[Any, Any, list[Any]] | None:
    """Type, context and parts of a node; None for a leaf."""
    kind = tree.__class__
    if kind in _SEQUENCES:
        return kind, None, list(tree)
    if kind in _MAPPINGS:
        keys = list(tree)
        context = [tree.default_factory, keys] if kind is defaultdict else keys
        return kind, context, list(tree.values())
    if isinstance(tree, tuple):
        named = hasattr(kind, "_fields") or kind.__module__.endswith("return_types")
        return (kind, None, list(tree)) if named else None
    return None


def _built(spec: TreeSpec, leaves: Any) -> Any:
    kind = spec.kind
    if kind is None:
        return next(leaves)
    parts = [_built(child, leaves) for child in spec.children]
    if kind is defaultdict:
        factory, keys = spec.context
        return defaultdict(factory, zip(keys, parts, strict=True))
    if kind in _MAPPINGS:
        return kind(zip(spec.context, parts, strict=True))
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def tree_flatten(tree: Any) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, in order, and its structure."""
    leaves: list[Any] = []
    return leaves, _flattened(tree, leaves)


def _flattened(tree: Any, leaves: list[Any]) -> TreeSpec:
    found = _parts(tree)
    if found is None:
        leaves.append(tree)
        return LEAF
    kind, context, parts = found
    return TreeSpec(kind, context, [_flattened(part, leaves) for part in parts])


def tree_unflatten(leaves: Any, treespec: TreeSpec) -> Any:
    """The tree of a structure with these leaves. ValueError if they are not as many as it has."""
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec "
            f"refers to a pytree that holds {treespec.num_leaves} items ({treespec})."
        )
    return treespec.unflatten(leaves)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return tree_flatten(tree)[0]


def tree_structure(tree: Any) -> TreeSpec:
    """The structure of a tree."""
    return tree_flatten(tree)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """The tree with `func` applied to each leaf, and to those at the same place in other trees."""
    leaves, spec = tree_flatten(tree)
    others = [_leaves_as(spec, rest) for rest in rests]
    return spec.unflatten([func(*each) for each in zip(leaves, *others, strict=True)])


def _leaves_as(spec: TreeSpec, tree: Any) -> list[Any]:
    leaves, own = tree_flatten(tree)
    if own != spec:
        raise ValueError(f"Node type mismatch; expected {spec}, but got {own}.")
    return leaves


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any) -> Any:
    """Call `func` for each leaf; returns the tree itself."""
    tree_map(func, tree, *rests)
    return tree


def tree_map_only(kind: Any, func: Callable[..., Any], tree: Any) -> Any:
    """`tree_map` over the leaves of a type; others stay."""
    return tree_map(lambda leaf: func(leaf) if isinstance(leaf, kind) else leaf, tree)


def broadcast_to_tree(tree: Any, spec: TreeSpec) -> list[Any] | None:
    """The leaves of a tree for each leaf of `spec`, of which it may be the upper part: a leaf where
    `spec` has a node counts for all leaves below. None if the structures differ."""
    found = _parts(tree)
    if found is None:
        return [tree] * spec.num_leaves
    kind, context, parts = found
    if kind is not spec.kind or context != spec.context or len(parts) != len(spec.children):
        return None
    leaves: list[Any] = []
    for part, child in zip(parts, spec.children, strict=True):
        below = broadcast_to_tree(part, child)
        if below is None:
            return None
        leaves += below
    return leaves

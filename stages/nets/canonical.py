"""ONNX graphs put in one order under one set of names: what a converter numbers as it comes would differ each time."""

import hashlib
from collections.abc import Iterator
from itertools import count

import onnx

GRAPH = onnx.AttributeProto.GRAPH


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """Order and name all that a model computes with; what it does not need is left out.

    Nodes come in the order in which the outputs need them, inputs from left to right, the states of a loop in the order
    of their digests, and are numbered so. The names of inputs and outputs of the model stay.
    """
    same = onnx.ModelProto()
    same.CopyFrom(model)
    kept = {value.name: value.name for value in (*same.graph.input, *same.graph.output)}
    _sort_states(_Digests(same.graph, {}))
    _order(same.graph)
    _rename(same.graph, {"": "", **kept}, (f"v{number}" for number in count()))
    return same


class _Digests(dict[str, str]):
    """Of each value of a graph: what it is computed from and how, whatever it is called and wherever it stands."""

    def __init__(self, graph: onnx.GraphProto, known: dict[str, str], outside: "_Digests | None" = None) -> None:
        super().__init__(known)
        self.graph, self.outside = graph, outside
        self.maker = {name: node for node in graph.node for name in node.output}
        self.constants = {constant.name: constant for constant in graph.initializer}

    def __missing__(self, name: str) -> str:
        if name in self.constants:
            nameless = onnx.TensorProto()
            nameless.CopyFrom(self.constants[name])
            nameless.ClearField("name")
            self[name] = _digest(nameless.SerializeToString(deterministic=True))
        elif name in self.maker:
            node = self.maker[name]
            if node.op_type == "Identity":
                self[name] = self[node.input[0]]
            elif node.op_type == "Loop":
                self.update(zip(node.output, self.of_loop(node), strict=True))
            else:
                attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute if a.type != GRAPH)
                place = list(node.output).index(name)
                self[name] = _digest(node.op_type, place, *attributes, *(self[name] for name in node.input))
        else:
            self[name] = _digest(name) if self.outside is None else self.outside[name]
        return self[name]

    def of_loop(self, node: onnx.NodeProto) -> list[str]:
        """Digest the outputs of a loop by what goes into it and what its body does with that."""
        body = next(_bodies(node))
        begun = ["iteration", "condition", *(self[name] for name in node.input[2:])]
        known = dict(zip((value.name for value in body.input), begun, strict=True))
        inner = _Digests(body, known, self)
        _sort_states(inner)
        results = [inner[value.name] for value in body.output[1:]]
        collected = len(results) - len(begun[2:])
        return [_digest("Loop", *both) for both in zip(begun[2:] + [""] * collected, results, strict=True)]


def _sort_states(digests: _Digests) -> None:
    """Put the states that the loops of a graph carry in the order of their digests, in place."""
    for node in digests.graph.node:
        if node.op_type != "Loop":
            continue
        body, states = next(_bodies(node)), len(node.input) - 2
        keys = [digests[name] for name in node.output[:states]]
        order = sorted(range(states), key=keys.__getitem__)
        for names, first in ((node.input, 2), (node.output, 0)):
            names[first : first + states] = [names[first + at] for at in order]
        for values, first in ((body.input, 2), (body.output, 1)):
            moved = [onnx.ValueInfoProto.FromString(values[first + at].SerializeToString()) for at in order]
            for at, value in enumerate(moved):
                values[first + at].CopyFrom(value)


def _order(graph: onnx.GraphProto) -> list[str]:
    """Sort nodes and constants in place; gives the names from outside that the graph needs, in order."""
    maker = {name: node for node in graph.node for name in node.output}
    constants = {constant.name: constant for constant in graph.initializer}
    inside = {value.name for value in graph.input} | set(constants) | set(maker)
    nodes: list[onnx.NodeProto] = []
    needed: dict[str, None] = {}  # in the order of insertion

    def visit(name: str) -> None:
        if name in needed:
            return
        needed[name] = None
        if name in maker:
            node = maker[name]
            needed.update(dict.fromkeys(node.output))
            node.attribute.sort(key=lambda attribute: attribute.name)
            below = [outer for body in _bodies(node) for outer in _order(body)]
            for needed_name in (*node.input, *below):
                visit(needed_name)
            nodes.append(node)

    _swap_copies(graph)
    for value in graph.output:
        visit(value.name)
    ordered = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    weights = [onnx.TensorProto.FromString(constants[name].SerializeToString()) for name in needed if name in constants]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(ordered)
    graph.initializer.extend(weights)
    return [name for name in needed if name and name not in inside]


def _swap_copies(graph: onnx.GraphProto) -> None:
    """Let the later of two outputs be the copy, where one is a copy of the other, in place."""
    place = {value.name: number for number, value in enumerate(graph.output)}
    for node in graph.node:
        if node.op_type == "Identity" and place.get(node.output[0], len(place)) < place.get(node.input[0], -1):
            copy, original = graph.output[place[node.output[0]]], graph.output[place[node.input[0]]]
            copy.name, original.name = node.input[0], node.output[0]


def _rename(graph: onnx.GraphProto, names: dict[str, str], fresh: Iterator[str]) -> None:
    """Give fresh names in place, but for those that ``names`` has; take remarks out."""
    names = dict(names)
    graph.ClearField("doc_string")
    for value in (*graph.input, *graph.initializer):
        names[value.name] = value.name = names.get(value.name) or next(fresh)
    for node in graph.node:
        for body in _bodies(node):
            _rename(body, names, fresh)
            body.name = "body"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names.setdefault(name, next(fresh)) for name in node.output]
        node.name = node.output[0]
        node.ClearField("doc_string")
        if not node.domain:
            node.ClearField("domain")  # that of ONNX itself, which may be named or not
    for value in graph.output:
        value.name = names[value.name]
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.Clear()  # any size will do, whatever it was called


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    yield from (attribute.g for attribute in node.attribute if attribute.type == GRAPH)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()

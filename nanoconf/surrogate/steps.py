"""Network of a model as a list of elementary steps, for evaluation without LiteRT.

The steps are those of the LiteRT file, so that other implementations, such as the JavaScript of
the static page, use exactly the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LAYOUT = (
    *("SHAPE", "STRIDED_SLICE", "PACK", "CONCATENATION", "EXPAND_DIMS", "TILE"),
    *("RESHAPE", "TRANSPOSE"),
)
"""Operations that only arrange values: see `evaluated`."""

BINARY = {"ADD": "add", "MUL": "multiply"}

SILU = ("LOGISTIC", "MUL")
"""Operations of SiLU, x/(1 + exp(−x)): the second multiplies the first by its argument."""

TOLERANCE = 1e-5
"""Largest deviation from the network, relative to its largest output."""


@dataclass(frozen=True)
class Step:
    """One step of the network.

    Attributes
    ----------
    kind : {"add", "multiply", "dense", "silu"}
        Operation on the values of each member.
    values : ndarray of float32
        Constants: shape (members, inputs, outputs) if dense, or (columns,) or (members, columns).
        Empty if there are none.
    """

    kind: str
    values: np.ndarray


def steps_of(content: bytes) -> list[Step]:
    """Return the steps of a network.

    Parameters
    ----------
    content : bytes
        The LiteRT file.

    Raises
    ------
    ValueError
        If the network has an operation that is not among the kinds of `Step`.
    """
    operations = iter(_operations(content))
    return [step for each in operations for step in _step(*each, operations)]


Operation = tuple[str, list[int], dict[int, np.ndarray]]
"""Name of an operation, indices of its inputs, and its constant inputs by index."""


def _operations(content: bytes) -> Iterator[Operation]:
    """Yield the operations of a LiteRT file in order."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    graph = model.subgraphs[0]
    for operation in graph.operators:
        code = model.operatorCodes[operation.opcodeIndex]
        inputs = [int(index) for index in operation.inputs]
        constants = {index: _constant(model, graph.tensors[index], schema) for index in inputs}
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        yield name, inputs, {i: value for i, value in constants.items() if value is not None}


def _constant(model: Any, tensor: Any, schema: Any) -> np.ndarray | None:
    """Return the values of a constant tensor of float32; None for all others."""
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.FLOAT32:
        return None
    return np.frombuffer(bytes(data), "<f4").reshape(tensor.shape)


def _step(
    name: str, inputs: list[int], constants: dict[int, np.ndarray], rest: Iterator[Operation]
) -> list[Step]:
    values = next(iter(constants.values()), None)
    if name in LAYOUT:
        return []
    if name in BINARY and values is not None:
        return [Step(BINARY[name], values)]
    if name == "BATCH_MATMUL" and values is not None:
        return [Step("dense", values)]
    if name == SILU[0]:
        following, factors, _ = next(rest, ("", [], {}))
        if following == SILU[1] and inputs[0] in factors:
            return [Step("silu", np.zeros(0, np.float32))]
    raise ValueError(f"the network has an unknown operation, {name}")


def evaluated(steps: Sequence[Step], inputs: np.ndarray) -> np.ndarray:
    """Evaluate the steps for one system.

    Parameters
    ----------
    steps : sequence of Step
        Steps from `steps_of`.
    inputs : ndarray, shape (inputs,)
        Inputs of the network.

    Returns
    -------
    ndarray, shape (members, columns)
        Outputs of each member of the ensemble.
    """
    values = np.asarray(inputs, np.float32)[None]
    for step in steps:
        if step.kind == "add":
            values = values + step.values
        elif step.kind == "multiply":
            values = values * step.values
        elif step.kind == "dense":
            rows = np.broadcast_to(values, (len(step.values), values.shape[-1]))
            values = np.einsum("mi,mio->mo", rows, step.values)
        else:
            values = values / (1 + np.exp(-values))
    return values


def check_steps(steps: Sequence[Step], network: Any, inputs: np.ndarray) -> None:
    """Compare the steps with the network that they were read from.

    Parameters
    ----------
    steps : sequence of Step
        Steps from `steps_of`.
    network : Network
        The network.
    inputs : ndarray, shape (systems, inputs)
        Inputs to compare.

    Raises
    ------
    ValueError
        If they differ by more than `TOLERANCE`.
    """
    expected = network(inputs)
    found = np.array([evaluated(steps, row) for row in inputs]).reshape(expected.shape)
    deviation = np.abs(found - expected).max() / np.abs(expected).max()
    if not deviation < TOLERANCE:
        raise ValueError(f"the weights do not reproduce the network (deviation {deviation:.1g})")

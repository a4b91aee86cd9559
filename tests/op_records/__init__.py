"""The table of operations: one record a public operation, a file a family. Tests are generated from `RECORDS`."""

import importlib

from tests.op_records.record import Call, OpRecord, call

FAMILIES = [
    "elementwise",
    "comparison",
    "reduction",
    "activation",
    "more_activation",
    "in_place_activation",
    "shape",
    "pad",
    "linalg",
    "indexing",
    "conv",
    "pool",
    "unpool",
    "norm",
    "attention",
    "image",
    "loss",
    "more_loss",
    "ctc",
    "distance",
    "dropout_embedding",
    "bags_and_grids",
    "recurrent",
    "creation_random",
    "special",
    "probability_functions",
    "statistics",
    "selection",
    "slicing",
    "arranging",
    "matrix",
    "decomposition",
    "composite",
    "sampling",
]

RECORDS: list[OpRecord] = [
    record for family in FAMILIES for record in importlib.import_module(f"tests.op_records.{family}").RECORDS
]

__all__ = ["FAMILIES", "RECORDS", "Call", "OpRecord", "call"]

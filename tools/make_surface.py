"""Write docs/surface.md: PyTorch's public names, and which of them are here. A test compares it with what this would write.

python tools/make_surface.py           the page, from docs/pytorch_names.txt
python tools/make_surface.py --names   the list of names first, from the installed PyTorch
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any

from tinynet.files import write_text

DOCS = Path(__file__).parents[1] / "docs"
NAMES, PAGE = DOCS / "pytorch_names.txt", DOCS / "surface.md"
MODULES = """torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.nn.utils.rnn
    torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.nn.utils.prune torch.optim torch.optim.lr_scheduler
    torch.optim.swa_utils torch.utils.data torch.utils.checkpoint torch.autograd torch.autograd.functional
    torch.autograd.graph torch.linalg torch.special torch.fft torch.func torch.distributions torch.amp
    torch.signal.windows"""

# why a name is not here on purpose: a pattern of the whole name (with its module), and the reason; the first that fits
REASONS = (
    ("complex numbers", r".*(complex|_real$|\.real$|imag|angle|polar|cfloat|chalf|cdouble|stft|conj|\.eig$|eigvals$)"),
    ("complex numbers", r"torch\.fft\..*"),
    (
        "sparse and nested tensors",
        r".*(sparse|Sparse|coo|cs[rc]|bs[rc]|coalesce|crow|ccol|(col|row)_indices|nested|jagged)",
    ),
    (
        "sparse and nested tensors",
        r".*(smm$|spmm$|hspmm|dsmm|saddmm|sspaddmm|dense_dim|\.indices|\.values|padded_tensor)",
    ),
    (
        "quantized numbers",
        r".*(quant|\.q_|qint|fake_|int_repr|qscheme|per_tensor|per_channel|quint|fbgemm|QInt|QUInt|qat)",
    ),
    ("number types of fewer bits, and unsigned ones", r".*(float8|float4|uint16|uint32|uint64|bits\d|u?int[1-7]$)"),
    (
        "other devices than the CPU",
        r".*(cud|miopen|mkldnn|xpu|ipu|mtia|mps|maia|hpu|vulkan|xla|Stream|Event|\.is_shared)",
    ),
    ("other devices than the CPU", r".*(SyncBatchNorm|autocast|record_stream|gpu|device_module|scaled_mm|grouped_mm)"),
    ("several processes", r".*([dD]istributed|RRef|Future|\.fork$|\.wait$)"),
    (
        "TorchScript, compilers and tracing",
        r".*([sS]cript|jit|compile|export|sym_|Sym|torch\.cond$|while_loop|parse_|Type$)",
    ),
    (
        "TorchScript, compilers and tracing",
        r".*(Module(Serial|TypeB)|import_ir|unify_type|ErrorReport|FileCheck|\.tags?$)",
    ),
    ("storages as objects", r".*([sS]torage|shared_memory|\.set_$|from_file)"),
    (
        "copies and internal forms of other functions",
        r".*(_copy$|native_|norm_(gather|back|elem|stats|upda)|_backward)",
    ),
    (
        "copies and internal forms of other functions",
        r".*(grid_sampler|torch_function|has_\w+$|boolean_dispatch|unsafe_)",
    ),
    (
        "copies and internal forms of other functions",
        r".*(hash_tensor|affine_grid_gen|convolution$|constant_pad_nd|_renorm_)",
    ),
    (
        "internals of PyTorch's core",
        r"torch\.(AVG|SUM|Ac|Al|Argument|Be|Bl|BufferDict|Ca|Code|Comp|Deep|Dis|Exc|Exec|Fat|Func)",
    ),
    (
        "internals of PyTorch's core",
        r"torch\.(Grad|Graph|JIT|Lock|ModuleDict|Node|Noop|Oper|OutOf|ParameterDict|PyT|Stat|Tag)",
    ),
    ("internals of PyTorch's core", r"torch\.(Trac|Use|Value|Logg|IOD|Thro|Agg|classproperty|autograd\.graph\.set_)"),
    ("batched differentiation", r".*(vmap|torch\.func\.jvp|linearize|forward_ad|jacfwd|UnpackedDual|functionalize)"),
    ("pipes of data", r".*(DataPipe|datapipes?|runtime_validation|argument_validation|DataChunk)"),
)


def public_names(module: str) -> list[str]:
    """The public names of PyTorch's module, or of its Tensor."""
    if module == "torch.Tensor":
        home: Any = importlib.import_module("torch").Tensor
        return sorted(n for n in dir(home) if not n.startswith("_"))
    home = importlib.import_module(module)
    listed = getattr(home, "__all__", None)
    found = []
    for name in sorted(set(listed or dir(home))):
        value = getattr(home, name, None)
        own = (getattr(value, "__module__", None) or "").startswith(module.rpartition(".")[0] or module)
        plain = listed is None and isinstance(value, type | types.FunctionType) and not own
        other = listed is None and not callable(value)
        if not (name.startswith("_") or inspect.ismodule(value) or plain or other):
            found.append(name)
    return found


def names_text() -> str:
    """What docs/pytorch_names.txt should hold: a module a line."""
    return "".join(f"{module}: {' '.join(public_names(module))}\n" for module in MODULES.split())


def here(module: str, name: str) -> bool:
    """Whether tinynet has the name, as more than a refusal."""
    parts = module.split(".")[1:]
    try:
        home: Any = importlib.import_module("tinynet")
        if parts == ["Tensor"]:
            home = home.Tensor
        elif parts:
            home = importlib.import_module(".".join(["tinynet", *parts]))
        value = getattr(home, name)
    except (AttributeError, ModuleNotFoundError):
        return False
    return not (inspect.getdoc(value) or "").startswith("Raises NotImplementedError")


def reason(full: str) -> str | None:
    """Why a name is not here on purpose, or None."""
    return next((why for why, pattern in REASONS if re.fullmatch(pattern + ".*", full)), None)


def page_text() -> str:
    """What docs/surface.md should hold."""
    importlib.import_module("tinynet").Tensor  # noqa: B018  (gives Tensor its methods)
    differences = (DOCS / "differences.md").read_text(encoding="utf-8")
    told = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`\n]+)`", differences))))
    rows, sections = [], []
    total = [0, 0, 0, 0]
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        module, _, rest = line.partition(": ")
        there, differing, later = [], [], []
        purpose: dict[str, list[str]] = {}
        for name in rest.split():
            if here(module, name):
                (differing if name in told else there).append(name)
            elif why := reason(f"{module}.{name}"):
                purpose.setdefault(why, []).append(name)
            else:
                later.append(name)
        counts = [len(there), len(differing), sum(map(len, purpose.values())), len(later)]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        rows.append(f"| `{module}` | {' | '.join(map(str, counts))} |")
        section = [f"## {module}\n"]
        section += [f"**There:** {shown(there)}\n"] if there else []
        section += (
            [f"**There, and named in [what differs](differences.md):** {shown(differing)}\n"] if differing else []
        )
        section += [f"**Not here on purpose, {why}:** {shown(names)}\n" for why, names in sorted(purpose.items())]
        section += [f"**Not here yet:** {shown(later)}\n"] if later else []
        sections.append("\n".join(section))
    return "\n".join([HEADER, *rows, f"| **all** | {' | '.join(map(str, total))} |", "", *sections])


HEADER = """# Which of PyTorch's names are here

Written by `tools/make_surface.py` from PyTorch 2.13's public names (`docs/pytorch_names.txt`) and from what can be
imported. A name that only raises NotImplementedError counts as not here.

| module | there | there, differing | not here on purpose | not here yet |
|---|---|---|---|---|"""


def shown(names: list[str]) -> str:
    """The names as code, in lines of moderate length."""
    lines, line = [], ""
    for piece in (f"`{n}`" for n in names):
        if len(line) + len(piece) > 110:
            lines.append(line)
            line = ""
        line += f" {piece}" if line else piece
    return "\n".join([*lines, line])


if __name__ == "__main__":
    if "--names" in sys.argv:
        write_text(NAMES, names_text())
    write_text(PAGE, page_text())

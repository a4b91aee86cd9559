"""Containers: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from .._tensor import Tensor
from ..errors import DtypeError, RangeError
from .module import Module
from .parameter import Parameter


def _place(where: str, key: Any, n: int) -> int:
    i = key.__index__()
    if not -n <= i < n:
        raise RangeError(f"{where}: index {i} is out of range for {n} items")
    return i + n if i < 0 else i


class _Numbered(Module):
    """Modules under the names "0", "1", …"""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, key: Any) -> Any:
        items = list(self._modules.values())
        if isinstance(key, slice):
            return self._build(items[key])
        return items[_place(type(self).__name__, key, len(items))]

    def _build(self, items: list[Any]) -> Any:
        return type(self)(items)  # type: ignore[call-arg]

    def __setitem__(self, key: int, module: Module) -> None:
        name = list(self._modules)[_place(type(self).__name__, key, len(self))]
        setattr(self, name, module)

    def __delitem__(self, key: Any) -> None:
        names = list(self._modules)
        gone = names[key] if isinstance(key, slice) else [names[_place(type(self).__name__, key, len(names))]]
        self._renumber([m for n, m in self._modules.items() if n not in gone])

    def _renumber(self, items: list[Any]) -> None:
        self._modules.clear()
        for i, m in enumerate(items):
            self.add_module(str(i), m)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for m in modules:
            self.append(m)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Insert a module before `index`."""
        items = list(self._modules.values())
        items.insert(index, module)
        self._renumber(items)
        return self

    def pop(self, key: int) -> Module:
        """Remove and return a module."""
        module = self[key]
        del self[key]
        return module


class Sequential(_Numbered):
    """Modules one after another: Sequential(a, b, …) or Sequential(OrderedDict(name=a, …))."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def _build(self, items: list[Any]) -> Any:
        names = {id(m): n for n, m in self._modules.items()}
        return type(self)({names[id(m)]: m for m in items})

    def forward(self, input: Any) -> Any:
        """Apply the modules in turn."""
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_Numbered):
    """A list of modules that their owner finds."""

    def __repr__(self) -> str:
        groups: list[tuple[str, int, int]] = []  # equal neighbours are printed once: text, first, last
        for i, module in enumerate(self._modules.values()):
            text = repr(module)
            if groups and groups[-1][0] == text:
                groups[-1] = (text, groups[-1][1], i)
            else:
                groups.append((text, i, i))
        lines = []
        for text, first, last in groups:
            where, times = (f"({first})", "") if first == last else (f"({first}-{last})", f"{last - first + 1} x ")
            lines.append(f"{where}: {times}" + "\n  ".join(text.split("\n")))
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ModuleDict(Module):
    """A dict of modules that their owner finds."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def keys(self) -> Any:
        """The names."""
        return self._modules.keys()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()

    def items(self) -> Any:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add or replace modules."""
        for name, module in modules.items() if isinstance(modules, Mapping | ModuleDict) else modules:
            self.add_module(name, module)

    def pop(self, key: str) -> Module:
        """Remove and return a module."""
        return self._modules.pop(key)

    def clear(self) -> None:
        """Remove all."""
        self._modules.clear()


def _parameter(value: Any) -> Parameter:
    if isinstance(value, Parameter):
        return value
    if isinstance(value, Tensor):
        return Parameter(value)
    raise DtypeError(f"expected a Parameter or a Tensor, got {type(value).__name__}")


class ParameterList(Module):
    """A list of parameters that their owner finds."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        for v in values:
            self.append(v)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, key: Any) -> Any:
        items = list(self._parameters.values())
        if isinstance(key, slice):
            return ParameterList(items[key])
        return items[_place("ParameterList", key, len(items))]

    def __setitem__(self, key: int, value: Any) -> None:
        self._parameters[str(_place("ParameterList", key, len(self)))] = _parameter(value)

    def extra_repr(self) -> str:
        """One line a parameter."""
        return "\n".join(
            f"({n}): Parameter of {p.dtype} and shape {tuple(p.shape)}" for n, p in self._parameters.items()
        )


class ParameterDict(Module):
    """A dict of parameters that their owner finds."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        for name, value in (parameters or {}).items():
            self[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._parameters.pop(key, None)
        self.register_parameter(key, _parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: str) -> bool:
        return key in self._parameters

    def keys(self) -> Any:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Any:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Any:
        """Names and parameters."""
        return self._parameters.items()

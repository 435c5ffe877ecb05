"""plotly.js with the kinds of trace that are drawn here and no others: a quarter of the whole.

The whole knows maps, globes and surfaces too, and runs all of that when it is loaded: more than half of the time from
the address to the first picture, and three quarters of what a class has to download. It is one function per module,
`var name=W((exports,module)=>{...});`, each of which names the modules that it needs; what no module needs that is
needed here is left out.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

TRACES = ("bar", "heatmap")  # and scatter, which is always there
KNOWN = "plotly.js v4.1.1"  # the release of which this has been tried; any other is taken whole

_ENTRY = re.compile(r"return ([\w$]+)\(\);\}\)\(\);")
_REGISTERED = re.compile(r"\.register\(\[((?:[\w$]+\(\),?)+)\]\)")
_MODULE = re.compile(r"(?:^|[;\n}])(var ([\w$]+)=(?:W|Ea)\()")
_NAME = re.compile(r"[\w$]+")
_PASSED_ON = re.compile(r"\.exports=([\w$]+)\(\)\}")
_TRACE = re.compile(r'moduleType:"trace",name:"(\w+)"')


def installed() -> Path:
    """plotly.js as the package plotly brings it; RuntimeError where the package is not installed."""
    spec = find_spec("plotly")  # found without importing the package, which takes long
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package plotly is not installed")
    return Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"


@cache
def source() -> str:
    """plotly.js as pages load it, with the licences of the whole.

    >>> source().startswith("/**\\n* " + KNOWN)
    True
    """
    whole = installed().read_text(encoding="utf-8").replace("\r\n", "\n")
    return _reduced(whole) if KNOWN in whole[:200] else whole


def _reduced(whole: str) -> str:
    entry = list(_ENTRY.finditer(whole))[-1]
    registered = list(_REGISTERED.finditer(whole, 0, entry.start()))[-1]
    starts = [(found.start(1), found[2]) for found in _MODULE.finditer(whole, 0, entry.start())]
    ends = [start for start, _ in starts[1:]] + [entry.start()]
    modules = {name: whole[start:end] for (start, name), end in zip(starts, ends, strict=True)}

    wanted = [name for name in _NAME.findall(registered[1]) if _kind(modules, name) in TRACES]
    if len(wanted) != len(TRACES):
        raise RuntimeError(f"{KNOWN} does not register {TRACES} as expected")
    calls = ",".join(f"{name}()" for name in wanted)
    modules[entry[1]] = modules[entry[1]].replace(registered[1], calls)

    # Text behind a module that is no module itself may be needed by any other.
    reached = {name for name, text in modules.items() if not text.rstrip().endswith(("})", "});", "}),"))}
    reached.add(entry[1])
    new = reached
    while new:
        new = {name for one in new for name in _NAME.findall(modules[one]) if name in modules} - reached
        reached |= new
    kept = (text for name, text in modules.items() if name in reached)
    return whole[: starts[0][0]] + "".join(kept) + whole[entry.start() :]


def _kind(modules: dict[str, str], name: str) -> str:
    """The kind of trace that a registered module stands for; it only passes the real one on."""
    passed_on = _PASSED_ON.search(modules[name])
    found = passed_on and _TRACE.search(modules.get(passed_on[1], ""))
    return found[1] if found else ""

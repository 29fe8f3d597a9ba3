#!/usr/bin/env python3
"""Stand-in for ``/usr/bin/invoke_app`` of a HUBzero hub, which exists only there.

It does what the documentation says of the options that our scripts use: the comments of
https://github.com/codedsk/hubzero-workspace-invokeapp (``invoke_app``) and "Launching tools with
invoke scripts" in the documentation of https://github.com/hubzero/hubzero-cms. Options that it does
not know, and what the hub alone can do (``-u``, window managers, ``submit``), are errors.
"""

import getopt
import os
import shlex
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Prepare the environment of a tool and become its program."""
    pairs, others = getopt.gnu_getopt(arguments, "C:A:T:t:e:p:r:w:")
    values = dict(pairs)
    assert not others and values["-r"] == "none" and values["-w"] == "headless", arguments
    # -T is a folder, or the version of an installed tool, such as r12
    tool = Path(values["-T"])
    tool = tool if tool.is_dir() else Path("/apps") / values["-t"] / tool
    assert tool.is_dir(), f"while checking tool: {tool} is not a directory"
    tool = tool.resolve()

    environment = dict(os.environ, TOOLDIR=str(tool), PATH=f"{tool}/bin:{os.environ['PATH']}")
    for option, value in pairs:
        if option == "-e":
            name, _, text = value.replace("@tool", str(tool)).partition("=")
            environment[name] = text
        elif option == "-p":
            environment["PATH"] = f"{value.replace('@tool', str(tool))}:{environment['PATH']}"
    os.chdir(environment["SESSIONDIR"])
    command = f"{values['-C']} {values.get('-A', '')}".replace("@tool", str(tool))
    words = shlex.split(command)
    os.execvpe(words[0], words, environment)


if __name__ == "__main__":
    main(sys.argv[1:])

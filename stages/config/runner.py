"""How a stage is run from the command line: its help, its arguments, and how it ends."""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import getdoc, getmodule

from stages.config.params import ParamsError, load_params

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended (128 and the number of the signal)."""


def run_stage(
    stage: Callable[..., None], *, errors: tuple[type[Exception], ...] = (), **choices: Sequence[str]
) -> None:
    """Run a stage with the arguments of the command line; with ``--help`` say what it does and do nothing else.

    Parameters
    ----------
    stage : callable
        Given the checked parameters, and by keyword the value of each argument. The docstring of its module is the
        help.
    errors : tuple of exception classes
        What may go wrong beside a wrong params.yaml and the file system: ends the stage with a message.
    **choices : sequence of str
        Name of a positional argument -> its values; none are named where any is right.
    """
    parser = parser_of(stage)
    for name, values in choices.items():
        parser.add_argument(name, choices=values or None, metavar=None if values else name.upper())
    arguments = vars(parser.parse_args())
    with ending_with_a_message(stage.__name__, errors):
        stage(load_params(), **arguments)


def parser_of(command: Callable[..., object]) -> argparse.ArgumentParser:
    """Make a parser whose help is the docstring of the module of a command."""
    module = getmodule(command)
    name = (module.__spec__.name if module and module.__spec__ else command.__name__).removesuffix(".__main__")
    return argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=getdoc(module),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


@contextmanager
def ending_with_a_message(name: str, errors: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Log plain lines, and end the program with one line instead of a traceback when an expected error comes.

    Parameters
    ----------
    name : str
        Of the command, as the message begins with it.
    errors : tuple of exception classes
        Expected beside :class:`ParamsError` and :class:`OSError`.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    expected: tuple[type[Exception], ...] = (ParamsError, OSError, *errors)
    try:
        yield
    except expected as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(INTERRUPTED)

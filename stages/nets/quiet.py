"""Keeping what native libraries remark off the terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

STANDARD_ERROR = 2
"""File descriptor to which native code writes, whatever Python calls standard error."""


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what the block, native code included, writes to standard error; if it fails, all of that is shown."""
    with tempfile.TemporaryFile() as remarks:
        sys.stderr.flush()
        terminal = os.dup(STANDARD_ERROR)
        os.dup2(remarks.fileno(), STANDARD_ERROR)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            remarks.seek(0)
            os.write(terminal, remarks.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, STANDARD_ERROR)
            os.close(terminal)

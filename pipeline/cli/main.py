"""`prefmill`: parses the command line, runs one verb, turns errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from pipeline.cli.verbs import build_parser

_SIGPIPE_EXIT = 141
"""As if the signal had ended us: whoever read our output has gone."""
_INTERRUPTED_EXIT = 130
_BUG_EXIT = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run `prefmill` with these arguments and return the exit code.

    Raises:
        SystemExit: by argparse, for `--help` and arguments that it refuses.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    args.argv = list(sys.argv[1:] if argv is None else argv)
    if args.version:
        return _print_version()
    if args.verb is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        code = _handle(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Python flushes stdout once more at exit, which would raise again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE_EXIT
    except KeyboardInterrupt:
        print("prefmill: interrupted", file=sys.stderr)
        return _INTERRUPTED_EXIT


def _print_version() -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"prefmill {version('prefmill')}")
    except PackageNotFoundError:
        print("prefmill, from a checkout that is not installed")
    return 0


def _handle(args: argparse.Namespace) -> int:
    """Run the verb; errors become one message on stderr and an exit code."""
    from schemas.errors import PrefmillError

    try:
        handler = importlib.import_module(f"pipeline.cli.{args.verb}").handle
        code: int = handler(args)
        return code
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except PrefmillError as error:
        return _fail(args, str(error), error.exit_code)
    except Exception as error:  # the last resort: a bug is told in two lines unless --debug
        told = f"internal error: {type(error).__name__}: {error}"
        advice = "This is a bug in prefmill or in a stage; --debug shows where."
        return _fail(args, f"{told}\n{advice}", _BUG_EXIT)


def _fail(args: argparse.Namespace, message: str, code: int) -> int:
    """Say why on stderr, with the traceback of the error at hand if `--debug` asks for it."""
    if args.debug:
        import traceback

        traceback.print_exc()
    print(f"prefmill: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

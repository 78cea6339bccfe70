"""The reason of a failure in the output of pip."""

from __future__ import annotations

from spe.software.pip_words import reason

PROGRAM = """  error: subprocess-exited-with-error

  × git clone --quiet https://example.org/x.git did not run successfully.
  │ exit code: 128
  ╰─> [1 lines of output]
      fatal: unable to access 'https://example.org/x.git/': Could not resolve host
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error

× git clone --quiet https://example.org/x.git did not run successfully.
│ exit code: 128
╰─> See above for output.

note: This error originates from a subprocess, and is likely not a problem with pip.
"""


def test_a_program_that_pip_has_run_is_named_with_its_last_words() -> None:
    assert reason(PROGRAM) == (
        "git clone --quiet https://example.org/x.git did not run successfully. (exit code: 128) "
        "fatal: unable to access 'https://example.org/x.git/': Could not resolve host"
    )


def test_of_a_traceback_the_last_line_is_told() -> None:
    assert reason("ERROR: Exception:\nTraceback …\n  File x\nFileNotFoundError: no such file: '/w.whl'\n") == (
        "FileNotFoundError: no such file: '/w.whl'"
    )


def test_the_lines_of_errors_are_told_and_the_warnings_around_them_are_not() -> None:
    said = "WARNING: a\nUsage: __main__.py [options]\n\nERROR: Invalid requirement: --bogus\nWARNING: b\n"
    assert reason(said) == "Invalid requirement: --bogus"
    assert reason("") == "it said nothing"

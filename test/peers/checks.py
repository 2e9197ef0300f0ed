"""What the Python clients check with: each check says how it went, and the next one runs all the same."""

import traceback


def check(name):
    def run(body):
        try:
            body()
            print("ok", name, sep="\t")
        except Exception as error:  # whatever it is, the next check runs
            why = traceback.format_exception_only(error)[-1].splitlines()[0]
            print("not ok", name, why, sep="\t")

    return run


def equal(actual, expected):
    assert actual == expected, f"{actual!r} instead of {expected!r}"


def failure(call, expected):
    """The error that a call ends with, of the expected class."""
    try:
        call()
    except expected as error:
        return error
    raise AssertionError("the call did not fail")

"""One library tried in one way; what came of it is a line of JSON on standard output."""

import json
import os
import sys
from importlib.metadata import version

import httpx

with open(os.environ["DAYKEY_INTEROP_WORLD"], encoding="utf-8") as file:
    WORLD = json.load(file)


def attempt(library, package, check, run, setting=None):
    try:
        run()
        worked, seen = True, ""
    except Exception as error:  # Whatever a library raises is what was seen.
        worked, seen = False, f"{type(error).__name__}: {error}"[:300]
    line = {
        "library": library,
        "version": version(package),
        "check": check,
        "worked": worked,
        "seen": seen,
    }
    if setting is not None:
        line["setting"] = setting
    print(json.dumps(line), flush=True)


def call_time(token):
    """Raises unless GET /time answers 200."""
    response = httpx.get(f"{WORLD['resource']}/time", headers={"authorization": f"Bearer {token}"})
    expect_ok(response)


def expect_ok(response):
    if response.status_code != 200:
        raise RuntimeError(f"GET /time: {response.status_code} {response.text}")


def try_validator(library, package, validate, algorithm, setting=None):
    """`validate(samples, token)` raises when it refuses the token."""
    samples = WORLD["validation"][algorithm]

    def run():
        validate(samples, samples["good"])
        taken = []
        for fault, token in samples["bad"].items():
            try:
                validate(samples, token)
                taken.append(fault)
            except Exception as error:
                print(f"{library} {algorithm} {fault}: {error}", file=sys.stderr)
        if taken:
            raise RuntimeError(f"takes a token with a wrong: {', '.join(taken)}")

    attempt(library, package, algorithm, run, setting)

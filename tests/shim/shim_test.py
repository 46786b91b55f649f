#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
One case of the end-to-end tests: small programs under the real preload on the fake device.

usage: shim_test.py CASE | --list

SHIM_TEST_LIB, _CUTRACE, _VICTIM and so on (meson.build) say where the parts are.
Exit status: 0 it holds, 1 it does not (and why is printed), 77 cannot be tried here.
"""
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "trust"))

import case_commands  # noqa: F401 (each import adds its cases)
import case_crowds  # noqa: F401
import case_ends  # noqa: F401
import case_entry  # noqa: F401
import case_fix  # noqa: F401
import case_habits  # noqa: F401
import case_input  # noqa: F401
import case_modes  # noqa: F401
import case_pack  # noqa: F401
import case_limits  # noqa: F401
import case_processes  # noqa: F401
import case_python  # noqa: F401
import case_prove  # noqa: F401
import case_ranks  # noqa: F401
import harness

if __name__ == "__main__":
    sys.exit(harness.main(sys.argv[1:]))

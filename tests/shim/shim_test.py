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
import case_control  # noqa: F401
import case_crowds  # noqa: F401
import case_ends  # noqa: F401
import case_entry  # noqa: F401
import case_fix  # noqa: F401
import case_habits  # noqa: F401
import case_input  # noqa: F401
import case_modes  # noqa: F401
import case_nvtx  # noqa: F401
import case_pack  # noqa: F401
import case_limits  # noqa: F401
import case_pin  # noqa: F401
import case_processes  # noqa: F401
import case_python  # noqa: F401
import case_prove  # noqa: F401
import case_ranks  # noqa: F401
import trust_bounds  # noqa: F401
import trust_coexistence  # noqa: F401
import trust_loader  # noqa: F401
import trust_transparency  # noqa: F401
import harness
import trust_security  # noqa: F401
import trust_storage  # noqa: F401
import trust_reader  # noqa: F401
import trust_ends  # noqa: F401
import trust_processes  # noqa: F401
import trust_signals  # noqa: F401
import trust_threads  # noqa: F401

if __name__ == "__main__":
    sys.exit(harness.main(sys.argv[1:]))

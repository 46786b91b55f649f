# SPDX-License-Identifier: Apache-2.0
"""Running an unpacked package on the fake device."""
import os
import re
import signal
import subprocess

TIMEOUT_S = 60
ROUNDS = 5  # of victim's calls


class Host:
    """A folder to run in; `build` has the fake device and the program."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, build
        (folder / "hidden").mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("CUTRACE_", "CUDA_", "FAKE_", "LD_", "VICTIM_"))}
        self.environment = {**kept, "LC_ALL": "C", "LD_DEBUG": "files",
                            "LD_DEBUG_OUTPUT": str(folder / "loaded"),
                            "LD_LIBRARY_PATH": f"{folder / 'hidden'}:{build / 'tests/fake'}"}

    def hide(self, library):
        (self.folder / "hidden" / library).touch()  # found first, and no library

    def run(self, *command, **variables):
        """Returns the exit status and what was printed. Nothing it started is left behind."""
        with subprocess.Popen(command, cwd=self.folder, env={**self.environment, **variables},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              start_new_session=True) as process:
            try:
                printed, _ = process.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                printed = process.communicate()[0] + f"; killed after {TIMEOUT_S} s"
        return process.returncode, printed

    def loaded(self):
        """The paths of all libraries that any of the processes has loaded."""
        logs = [path.read_text(errors="replace") for path in self.folder.glob("loaded.*")]
        return set(re.findall(r"calling init: (.*)", "\n".join(logs)))


def check_runs(host, cutrace, library):
    """Yield what does not work when run. LD_PRELOAD ends names at spaces: `library` has none."""
    victim = str(host.build / "tests/shim/victim")
    runs = {
        "cutrace run": (7, (cutrace, "run", "--output=run.dir", victim, "return"), {}),
        "cutrace report": (0, (cutrace, "report", "run.dir"), {}),
        "cutrace doctor": (0, (cutrace, "doctor"), {}),
        "LD_PRELOAD": (7, (victim, "return"), {"LD_PRELOAD": library,
                                               "CUTRACE_OUTPUT": "preload.dir"}),
    }
    for name, (wanted, command, variables) in runs.items():
        status, printed = host.run(*command, **variables)
        if status != wanted:
            yield f"{name}: exit status {status}, wanted {wanted}; it printed: {printed}"
    for trace in ("run.dir", "preload.dir"):
        calls = host.folder / trace / "calls.csv"
        rows = calls.read_text().count("cudaFree") if calls.exists() else -1
        if rows != ROUNDS:
            yield f"{trace}: cudaFree is {rows} times in calls.csv, wanted {ROUNDS}"

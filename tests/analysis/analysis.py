#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What tools say about the code, or about it at work. One test of suite `analysis` each.

Usage: analysis.py CHECK SOURCE BUILD FOLDER
CHECK: valgrind or coverage. BUILD: an ordinary build, whose program and toolkit are used. FOLDER: where builds of a check's own are kept.
"""

import concurrent.futures
import glob
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
def say(*what):
    print(*what, flush=True)


def in_parallel(function, jobs):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, jobs))


def own_build(source, build, folder, name, options, targets):
    """Configure and build some targets another way. Returns the folder."""
    where = os.path.join(folder, name)
    if not os.path.exists(os.path.join(where, 'build.ninja')):
        with open(os.path.join(build, 'meson-info/intro-buildoptions.json'), encoding='utf-8') as f:
            toolkit = next(o['value'] for o in json.load(f) if o['name'] == 'toolkit')
        subprocess.run(['meson', 'setup', where, source, '-Dkernels=disabled', f'-Dtoolkit={toolkit}',
                        '-Dbuildtype=debug'] + options, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', where, '--quiet'] + targets, check=True)
    return where


def units(source, *without):
    names = [os.path.basename(path)[:-2] for path in glob.glob(f'{source}/tests/unit/*_test.c')]
    return [name for name in names if name not in without]


def run_units(where, names, **env):
    def run(name):
        arguments = [f'{where}/tools/gen-trace'] if name in ('parts_test', 'no_memory_test') else []
        done = subprocess.run([f'{where}/tests/unit/{name}'] + arguments, cwd=where, check=False,
                              env={**os.environ, **env}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            say(f'{name}: status {done.returncode}\n{done.stdout[-6000:]}')
        return bool(done.returncode)
    return sum(in_parallel(run, names))


def reports(source, command, names, **env):
    """Report on recorded traces, in one piece and in parts. Returns how many went wrong."""
    def run(name):
        with tempfile.TemporaryDirectory() as where:
            trace = os.path.join(source, f'tests/golden/{name}.trace.gz')
            with gzip.open(trace) as packed, open(f'{where}/trace.cutrace', 'wb') as to:
                shutil.copyfileobj(packed, to)
            for options in ([], ['--part-records=100']):
                done = subprocess.run(command + ['report', *options, where], check=False,
                                      env={**os.environ, **env}, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
                if done.returncode:
                    say(f'{name}: status {done.returncode}\n{done.stdout[-4000:]}')
                    return True
        return False
    return sum(in_parallel(run, names))


def golden(source):
    return sorted(os.path.basename(path)[:-len('.trace.gz')]
                  for path in glob.glob(f'{source}/tests/golden/*.trace.gz'))


def check_valgrind(source, build, folder):
    del folder
    if not shutil.which('valgrind'):
        say('no valgrind here')
        return SKIPPED
    names = golden(source)[::25]
    bad = reports(source, ['valgrind', '--quiet', '--error-exitcode=99', '--leak-check=full',
                           '--errors-for-leak-kinds=definite', f'{build}/tools/cutrace'], names)
    say(f'{2 * len(names)} reports, {bad} went wrong')
    return bad > 0 or not names


def check_coverage(source, build, folder):
    import coverage  # beside this file
    names = units(source)
    where = own_build(source, build, folder, 'coverage', ['-Db_coverage=true'],
                      [f'tests/unit/{name}' for name in names] + ['tools/cutrace', 'tools/gen-trace'])
    for old in glob.glob(f'{where}/**/*.gcda', recursive=True):
        os.unlink(old)
    bad = run_units(where, names)
    bad += reports(source, [f'{where}/tools/cutrace'], golden(source))
    return bad > 0 or coverage.tell(source, where)


if __name__ == '__main__':
    CHECK, SOURCE, BUILD, FOLDER = sys.argv[1:]
    sys.exit(int(globals()['check_' + CHECK](SOURCE, BUILD, FOLDER)))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What tools say about the code, or about it at work. One test of suite `analysis` each.

Usage: analysis.py CHECK SOURCE BUILD FOLDER
CHECK: analyzer, tidy, address, thread, valgrind or coverage. BUILD: an ordinary build, whose
program, compile commands and toolkit are used. FOLDER: where builds of a check's own are kept.
"""

import concurrent.futures
import glob
import gzip
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

# (file, part of a finding): why it is none. A finding that is gone must go from here, too.
MISTAKEN = {
    'analyzer': {
        ('trace/reader.c', 'use of NULL'): 'mmap() of no address never returns NULL',
        ('analyze/report_text.c', 'dereference of NULL'): 'a sum without a call site cannot be',
        ('analyze/sort.c', 'use of uninitialized value'): 'ct_sort() and its callers fill them all',
        ('analyze/lookup.c', 'leak of'): 'the table holds it until ct_lookup_clear()',
        ('tools/members.c', 'leak of'): 'members->at holds it',
        ('tools/gen_trace.c', 'use of NULL'): 'main() leaves if it has no memory for a lane',
    },
    'tidy': {
        ('analyze/demangle.c', 'bugprone-not-null-terminated-result'): 'terminated at the end',
        ('analyze/load.c', 'bugprone-sizeof-expression'): 'an array of pointers grows by one',
        ('export/events.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('analyze/report_coverage.c', 'bugprone-suspicious-missing-comma'): 'in an X macro',
    },
}
OURS = ('trace', 'cupti', 'shim', 'analyze', 'export', 'tools')
SKIPPED = 77

# What runs under the shim with a sanitizer: arguments, status, settings.
WATCHED = ['tests/analysis/libwatched.so', 'tests/shim/victim', 'tests/fake/libcupti.so.13']
VICTIMS = [
    (['crowd', '16'], 0, {}),
    (['crowd', '16'], 0, {'CUTRACE_CUPTI': 'off'}),
    (['waves', '8'], 0, {}),
    (['work', '100'], 12, {}),
    (['exit_while_busy'], 8, {}),
]


def say(*what):
    print(*what, flush=True)


def in_parallel(function, jobs):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, jobs))


def sources(source, build):
    """Yield (path, command without its outputs, folder it runs in) of every C file of ours."""
    seen = set()
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        commands = json.load(file)
    for command in commands:
        path = os.path.relpath(os.path.join(command['directory'], command['file']), source)
        if path.split('/')[0] not in OURS or not path.endswith('.c') or path in seen:
            continue
        seen.add(path)
        words, kept = iter(shlex.split(command['command'])), []
        for word in words:
            if word in ('-MQ', '-MF', '-o'):
                next(words)
            elif word != '-MD':
                kept.append(word)
        yield path, kept, command['directory']


def findings_of(jobs, options):
    """Lines with a warning that the compiler, run so, says of any file."""
    def compile_one(job):
        path, command, folder = job
        done = subprocess.run(command + options + ['-o', '/dev/null'], cwd=folder,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [(path, line) for line in done.stderr.split('\n') if ' warning: ' in line]
    return [finding for found in in_parallel(compile_one, jobs) for finding in found]


def judge(check, files, found):
    """Say each (file, finding) that is not known to be mistaken; is there one, or a mistake gone?"""
    mistaken = MISTAKEN[check]
    bad, seen = 0, set()
    for path, line in found:
        known = [(p, text) for p, text in mistaken if path == p and text in line]
        seen.update(known)
        if not known:
            say(line)
            bad += 1
    for gone in sorted(set(mistaken) - seen):
        say('no longer found: take it from the list:', *gone)
    say(f'{files} files, {len(found)} findings, {bad} of them not known to be mistaken')
    return bad > 0 or len(seen) < len(mistaken) or files < 100


def check_analyzer(source, build, folder):
    del folder
    jobs = list(sources(source, build))
    return judge('analyzer', len(jobs),
                 findings_of(jobs, ['-fanalyzer', '-O1', '-fdiagnostics-plain-output',
                                    # else uthash's macros take minutes a file
                                    '--param=analyzer-bb-explosion-factor=1',
                                    '--param=analyzer-max-enodes-per-program-point=2']))


def check_tidy(source, build, folder):
    del folder
    tidy = shutil.which('clang-tidy-14') or shutil.which('clang-tidy')
    if not tidy:
        say('no clang-tidy here: install clang-tidy-14')
        return SKIPPED

    def run(path):
        done = subprocess.run([tidy, '--quiet', '-p', build,
                               f'--config-file={source}/tests/analysis/clang-tidy.yaml',
                               os.path.join(source, path)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [(path, line) for line in done.stdout.split('\n') if ' warning: ' in line]
    jobs = [path for path, _, _ in sources(source, build)]
    return judge('tidy', len(jobs), [one for found in in_parallel(run, jobs) for one in found])


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


def check_address(source, build, folder):
    names = units(source)
    where = own_build(source, build, folder, 'address',
                      ['-Doptimization=1', '-Db_sanitize=address,undefined', '-Db_lundef=false'],
                      [f'tests/unit/{name}' for name in names] + ['tools/gen-trace'] + WATCHED)
    options = {'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1',
               'ASAN_OPTIONS': 'detect_leaks=1:allocator_may_return_null=1'}
    bad = run_units(where, names, **options)
    bad += run_victims(where, {**options, 'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'})
    say(f'{len(names)} unit tests and {len(VICTIMS)} traced programs, {bad} went wrong')
    return bad > 0


def check_thread(source, build, folder):
    names = ['trace_test', 'flight_test', 'block_test']
    where = own_build(source, build, folder, 'thread',
                      ['-Doptimization=1', '-Db_sanitize=thread', '-Db_lundef=false'],
                      [f'tests/unit/{name}' for name in names] + WATCHED)
    suppressions = os.path.join(source, 'tests/analysis/thread.supp')
    options = {'TSAN_OPTIONS': f'exitcode=66:suppressions={suppressions}'}
    bad = run_units(where, names, **options)
    bad += run_victims(where, options)
    say(f'{len(names)} unit tests and {len(VICTIMS)} traced programs, {bad} went wrong')
    return bad > 0


def run_victims(where, options):
    """Programs under the shim, all with the sanitizer. Returns how many went wrong."""
    def run(victim):
        arguments, status, more = victim
        with tempfile.TemporaryDirectory() as out:
            # by env, as Python could not live with the sanitizer
            environment = {**options, **more, 'LD_LIBRARY_PATH': f'{where}/tests/fake',
                           'LD_PRELOAD': f'{where}/tests/analysis/libwatched.so',
                           'CUTRACE_OUTPUT': f'{out}/o'}
            done = subprocess.run(['env'] + [f'{name}={value}' for name, value in environment.items()] +
                                  [f'{where}/tests/shim/victim'] + arguments, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            written = os.path.exists(f'{out}/o/trace.cutrace')
        bad = done.returncode != status or not written or 'Sanitizer: ' in done.stdout
        if bad:
            say(f'{arguments}: status {done.returncode}, trace: {written}\n{done.stdout[-8000:]}')
        return bad
    return sum(in_parallel(run, VICTIMS))


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
                      [f'tests/unit/{name}' for name in names] + ['tests/unit/libsysv.so', 'tools/cutrace', 'tools/gen-trace'])
    for old in pathlib.Path(where).rglob('*.gcda'):
        old.unlink()
    bad = run_units(where, names)
    bad += reports(source, [f'{where}/tools/cutrace'], golden(source))
    return bad > 0 or coverage.tell(source, where)


if __name__ == '__main__':
    CHECK, SOURCE, BUILD, FOLDER = sys.argv[1:]
    sys.exit(int(globals()['check_' + CHECK](SOURCE, BUILD, FOLDER)))

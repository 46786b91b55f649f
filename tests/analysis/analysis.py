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
import re
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
        ('analyze/busy.c', 'dereference of NULL'): 'the loop ends when there is neither',
        ('analyze/load.c', 'leak of'): 'the model holds it',
        ('analyze/nccl.c', 'leak of'): 'the digest holds it',
        ('analyze/convoy.c', 'leak of'): 'the convoys hold it',
        ('analyze/nvtx.c', 'dereference of NULL'): 'the loop ends when there is neither',
        ('analyze/lookup.c', 'leak of'): 'the table holds it until ct_lookup_clear()',
        ('analyze/unite.c', 'use of uninitialized value'): 'firsts_of() fills all there are',
        ('export/html/end.c', 'leak of'): 'process->losses holds it',
        ('tools/members.c', 'leak of'): 'members->at holds it',
    },
    'tidy': {
        ('analyze/demangle.c', 'bugprone-not-null-terminated-result'): 'terminated at the end',
        ('analyze/load.c', 'bugprone-sizeof-expression'): 'an array of pointers grows by one',
        ('analyze/nvtx_sums.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('analyze/report_filter.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('analyze/report_ledger.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('analyze/report_sums.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('export/events.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('export/html/keep.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('export/html/lane.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('export/html/names.c', 'bugprone-sizeof-expression'): 'an array of pointers, too',
        ('analyze/report_coverage.c', 'bugprone-suspicious-missing-comma'): 'in an X macro',
    },
}
OURS = ('trace', 'cupti', 'shim', 'analyze', 'export', 'tools')
SKIPPED = 77

ANALYZER = ['-fanalyzer', '-O1', '-fdiagnostics-plain-output']
# uthash's macros would take minutes a file. These make it give up early, and find little.
HURRIED = ['--param=analyzer-bb-explosion-factor=1', '--param=analyzer-max-enodes-per-program-point=2']
UTHASH = ('analyze/lookup.c', 'cupti/names.c')
VALGRIND = ['valgrind', '--quiet', '--error-exitcode=99', '--leak-check=full',
            '--errors-for-leak-kinds=definite']

# How the builds of a check's own differ, and what their programs are told.
BUILDS = {
    'address': ['-Doptimization=1', '-Db_sanitize=address,undefined', '-Db_lundef=false'],
    'thread': ['-Doptimization=1', '-Db_sanitize=thread', '-Db_lundef=false'],
    'coverage': ['-Db_coverage=true'],
}
SLOW = ('damage_test', 'no_memory_test', 'pack_test') # first, so that nobody waits for one alone
HERE = os.path.dirname(os.path.realpath(__file__))
UNDEFINED = {'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}
ADDRESS = {**UNDEFINED, 'ASAN_OPTIONS': 'detect_leaks=1:allocator_may_return_null=1'}
# Not of leaks: what is for the whole life of the program is nobody's to free.
ADDRESS_WATCHED = {**UNDEFINED, 'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'}
# Else each end takes a second.
THREAD = {'TSAN_OPTIONS': f'exitcode=66:atexit_sleep_ms=50:suppressions={HERE}/thread.supp'}

# What runs under the shim with a sanitizer: arguments, status, settings.
WATCHED = ['tests/analysis/libwatched.so', 'tests/shim/victim', 'tests/fake/libcupti.so.13']
SAID = re.compile('Sanitizer: |runtime error: ')
# Tests of the commands that analyze something else than one trace.
COMMANDS = ['stats and list', 'diff', 'filters']
# What unit tests look at, by name.
LIBRARIES = [f'tests/unit/lib{name}.so'
             for name in ('sysv', 'linked', 'lined', 'split', 'hostile', 'runtime')]
VICTIMS = [
    (['crowd', '16'], 0, {}),
    (['crowd', '16'], 0, {'CUTRACE_CUPTI': 'off'}),
    (['waves', '8'], 0, {}),
    (['work', '100'], 12, {}),
    (['exit_while_busy'], 8, {}),
    (['pin_threads'], 0, {'CUTRACE_FIX': 'all'}),
]


def say(*what):
    print(*what, flush=True)


def in_parallel(function, jobs):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, jobs))


def sources(source, build, folders=OURS):
    """Yield (path, command without its outputs, folder it runs in) of every C file in folders."""
    seen = set()
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        commands = json.load(file)
    for command in commands:
        path = os.path.relpath(os.path.join(command['directory'], command['file']), source)
        if not path.startswith(tuple(f'{f}/' for f in folders)) or not path.endswith('.c') or path in seen:
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
        less = HURRIED if path in UTHASH else []
        done = subprocess.run(command + options + less + ['-o', '/dev/null'], cwd=folder,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return [(path, line) for line in done.stderr.split('\n') if ' warning: ' in line]
    return [finding for found in in_parallel(compile_one, jobs) for finding in found]


def judge(files, found, mistaken, least=100):
    """Say each (file, finding) that is not known to be mistaken; is there one, or a mistake gone?"""
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
    return bad > 0 or len(seen) < len(mistaken) or files < least


def check_analyzer(source, build, folder):
    del folder
    jobs = list(sources(source, build))
    return judge(len(jobs), findings_of(jobs, ANALYZER), MISTAKEN['analyzer'])


def tidy():
    found = shutil.which('clang-tidy-14') or shutil.which('clang-tidy')
    if not found:
        say('no clang-tidy here: install clang-tidy-14')
    return found


def tidied(source, build, jobs):
    """As findings_of(), of clang-tidy."""
    def run(job):
        done = subprocess.run([tidy(), '--quiet', '-p', build, f'--config-file={HERE}/clang-tidy.yaml',
                               os.path.join(source, job[0])], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [(job[0], line) for line in done.stdout.split('\n') if ' warning: ' in line]
    return [finding for found in in_parallel(run, jobs) for finding in found]


def check_tidy(source, build, folder):
    del folder
    if not tidy():
        return SKIPPED
    jobs = list(sources(source, build))
    return judge(len(jobs), tidied(source, build, jobs), MISTAKEN['tidy'])


def own_build(source, build, folder, name, targets):
    """Configure and build some targets as BUILDS says. Returns the folder."""
    where = os.path.join(folder, name)
    if not os.path.exists(os.path.join(where, 'build.ninja')):
        with open(os.path.join(build, 'meson-info/intro-buildoptions.json'), encoding='utf-8') as f:
            toolkit = next(o['value'] for o in json.load(f) if o['name'] == 'toolkit')
        subprocess.run(['meson', 'setup', where, source, '-Dkernels=disabled', f'-Dtoolkit={toolkit}',
                        '-Dbuildtype=debug'] + BUILDS[name], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['ninja', '-C', where, '--quiet'] + targets, check=True)
    return where


def units(source):
    paths = [os.path.relpath(path, source)[:-2] for path in glob.glob(f'{source}/tests/unit/*_test.c')
             if os.path.basename(path) != 'analyze_many_test.c'] # says what others do, of very many things
    return sorted(paths, key=lambda path: (os.path.basename(path) not in SLOW, path))


def failed(what, done):
    """What a program that went wrong said, and its status."""
    return f'{what}: status {done.returncode}\n{done.stdout[-8000:]}'


def in_place(command, where, env):
    return subprocess.run(command, cwd=where, check=False, env={**os.environ, **env},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run_units(where, programs, **env):
    """Returns what those said that went wrong."""
    traces = f'{where}/tools/gen-trace'
    more = {'parts_test': [traces], 'no_memory_test': [traces, f'{HERE}/../golden']}

    def run(program):
        done = in_place([f'{where}/{program}', *more.get(os.path.basename(program), [])], where, env)
        return [failed(program, done)] if done.returncode else []
    return sum(in_parallel(run, programs), [])


def reports(source, command, names, **env):
    """Report on recorded traces, in one piece and in parts. Returns what those said that went wrong."""
    def run(name):
        with tempfile.TemporaryDirectory() as where:
            trace = os.path.join(source, f'tests/golden/{name}.trace.gz')
            with gzip.open(trace) as packed, open(f'{where}/trace.cutrace', 'wb') as to:
                shutil.copyfileobj(packed, to)
            done = [in_place(command + ['report', *options, where], where, env)
                    for options in ([], ['--part-records=100'])]
        return [failed(name, one) for one in done if one.returncode]
    return sum(in_parallel(run, names), [])


def golden(source):
    return sorted(os.path.basename(path)[:-len('.trace.gz')]
                  for path in glob.glob(f'{source}/tests/golden/*.trace.gz'))


def check_address(source, build, folder):
    programs = units(source)
    where = own_build(source, build, folder, 'address',
                      programs + LIBRARIES + ['tools/gen-trace'] + WATCHED)
    bad = run_units(where, programs, **ADDRESS) + run_victims(where, VICTIMS, ADDRESS_WATCHED)
    say(*bad, f'{len(programs)} unit tests and {len(VICTIMS)} traced programs, {len(bad)} went wrong')
    return bool(bad)


def check_thread(source, build, folder):
    programs = [f'tests/unit/{name}_test' for name in ('trace', 'flight', 'block', 'once')]
    where = own_build(source, build, folder, 'thread', programs + WATCHED)
    bad = run_units(where, programs, **THREAD) + run_victims(where, VICTIMS, THREAD)
    say(*bad, f'{len(programs)} unit tests and {len(VICTIMS)} traced programs, {len(bad)} went wrong')
    return bool(bad)


def run_victims(where, victims, options, preload=('watched',)):
    """Programs under the shim, all with the sanitizer. Returns what those said that went wrong."""
    def run(victim):
        arguments, status, more = victim
        with tempfile.TemporaryDirectory() as out:
            # by env, as Python could not live with the sanitizer
            environment = {**options, **more, 'LD_LIBRARY_PATH': f'{where}/tests/fake',
                           'LD_PRELOAD': ':'.join(f'{where}/tests/analysis/lib{name}.so' for name in preload),
                           'CUTRACE_OUTPUT': f'{out}/o'}
            done = in_place(['env'] + [f'{name}={value}' for name, value in environment.items()] +
                            [f'{where}/tests/shim/victim'] + arguments, where, {})
            written = os.path.exists(f'{out}/o/trace.cutrace')
        bad = done.returncode != status or not written or SAID.search(done.stdout)
        return [failed(f'{arguments}, trace: {written}', done)] if bad else []
    return sum(in_parallel(run, victims), [])


def check_valgrind(source, build, folder):
    del folder
    if not shutil.which('valgrind'):
        say('no valgrind here')
        return SKIPPED
    names = golden(source)[::25]
    bad = reports(source, VALGRIND + [f'{build}/tools/cutrace'], names)
    say(*bad, f'{2 * len(names)} reports, {len(bad)} went wrong')
    return bool(bad) or not names


def reports_of_ranges(build, command):
    """The same of a run with NVTX ranges, which no recorded trace has; filtered, too."""
    program = f'{build}/kernels/nvtx_ranges'
    if not os.path.exists(program):
        return []
    with tempfile.TemporaryDirectory() as where:
        env = {'LD_LIBRARY_PATH': f'{build}/tests/fake', 'LD_PRELOAD': f'{build}/shim/libcutrace.so',
               'CUTRACE_OUTPUT': f'{where}/run', 'CUTRACE_QUIET': '1'}
        done = [in_place([program], where, env)]
        for options in ([], ['--part-records=100'], ['--nvtx', '*'], ['--min-blocked', '1ms']):
            done.append(in_place(command + ['report', *options, f'{where}/run'], where, {}))
    return [failed(program, one) for one in done if one.returncode]


def run_tests(where, names):
    """Tests of that build, by name."""
    done = in_place(['meson', 'test', '-C', where, '--no-rebuild', *names], where, {})
    return [failed(f'{names}', done)] if done.returncode else []


def check_coverage(source, build, folder):
    import coverage  # beside this file
    programs = units(source)
    where = own_build(source, build, folder, 'coverage',
                      programs + LIBRARIES + ['tools/cutrace', 'tools/gen-trace'])
    command = [f'{where}/tools/cutrace']
    for old in pathlib.Path(where).rglob('*.gcda'):
        old.unlink()
    bad = (run_units(where, programs) + reports(source, command, golden(source))
           + reports_of_ranges(build, command) + run_tests(where, COMMANDS))
    say(*bad)
    return bool(bad) or coverage.tell(source, where)


if __name__ == '__main__':
    CHECK, SOURCE, BUILD, FOLDER = sys.argv[1:]
    sys.exit(int(globals()['check_' + CHECK](SOURCE, BUILD, FOLDER)))

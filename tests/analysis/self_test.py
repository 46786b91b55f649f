#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Can the checks of analysis.py fail? Each finds what planted.c has of its kind, by the same way.

Usage: self_test.py CHECK SOURCE BUILD FOLDER, as of analysis.py
"""

import shutil
import sys

import analysis
from analysis import SKIPPED

PLANTED = 'tests/analysis/planted'


def same(found, wanted, what):
    assert found == wanted, f'{what}: {found!r}, wanted {wanted!r}'


def finds(said, texts, what):
    """One program went wrong, and said so."""
    assert len(texts) == 1 and said in texts[0], f'{what}: {said!r} not found in {texts}'


def judges(found):
    """What was found counts, unless it is known to be mistaken; so does a mistake that is gone."""
    mistaken = {(f'{PLANTED}.c', line): 'known' for path, line in found}
    assert found
    same([analysis.judge(1, found, known, 1) for known in ({}, mistaken)], [True, False], 'findings')
    same([analysis.judge(1, [], known, 1) for known in ({}, mistaken)], [False, True], 'no findings')
    same(analysis.judge(1, [], {}), True, 'too few files')


def planted(source, build):
    jobs = list(analysis.sources(source, build, ('tests/analysis',)))
    same([path for path, _, _ in jobs], [f'{PLANTED}.c'], 'files')
    return jobs


def test_analyzer(source, build, folder):
    del folder
    found = analysis.findings_of(planted(source, build), analysis.ANALYZER)
    assert any('[-Wanalyzer-possible-null-dereference]' in line for _, line in found), found
    judges(found)


def test_tidy(source, build, folder):
    del folder
    if not analysis.tidy():
        return SKIPPED
    found = analysis.tidied(source, build, planted(source, build))
    assert any('[bugprone-misplaced-operator-in-strlen-in-alloc]' in line for _, line in found), found
    judges(found)
    return 0


def with_sanitizer(source, build, folder, name, options, watched, defects):
    """In a program of its own, and in one that cutrace is preloaded into."""
    where = analysis.own_build(source, build, folder, name,
                               [PLANTED, 'tests/analysis/libplanted.so'] + analysis.WATCHED)
    victim = [(['work', '1'], 12, {})]
    same(analysis.run_units(where, [PLANTED], **options), [], 'no defect')
    same(analysis.run_victims(where, victim, watched, ('planted', 'watched')), [], 'no defect')
    for defect, said, alone in defects:
        finds(said, analysis.run_units(where, [PLANTED], PLANTED=defect, **options), defect)
        if not alone:
            finds(said, analysis.run_victims(where, victim, {**watched, 'PLANTED': defect},
                                             ('planted', 'watched')), defect)


def test_address(source, build, folder):
    with_sanitizer(source, build, folder, 'address', analysis.ADDRESS, analysis.ADDRESS_WATCHED,
                   [('overrun', 'AddressSanitizer: heap-buffer-overflow', False),
                    ('overflow', 'runtime error: signed integer overflow', False),
                    ('leak', 'LeakSanitizer: detected memory leaks', True)])


def test_thread(source, build, folder):
    with_sanitizer(source, build, folder, 'thread', analysis.THREAD, analysis.THREAD,
                   [('race', 'ThreadSanitizer: data race', False)])


def test_valgrind(source, build, folder):
    del folder
    if not shutil.which('valgrind'):
        return SKIPPED
    command = analysis.VALGRIND + [f'{build}/{PLANTED}']
    trace = analysis.golden(source)[:1]
    same(analysis.reports(source, command, trace), [], 'no defect')
    for defect, said in (('overrun', 'Invalid read'), ('leak', 'definitely lost')):
        texts = analysis.reports(source, command, trace, PLANTED=defect)
        same(len(texts), 2, 'reports that went wrong, in one piece and in parts')
        finds(said, texts[:1], defect)
    return 0


if __name__ == '__main__':
    CHECK, *WHERE = sys.argv[1:]
    sys.exit(globals()['test_' + CHECK](*WHERE) or 0)

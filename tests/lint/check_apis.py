#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Is every call that matters in trace/apis.def, and does every id there mean its name?
Usage: check_apis.py ROOT LIBCUDART CBID_HEADER_DIRECTORY
"""

import os
import re
import subprocess

import lint

TABLES = ('trace/apis.def', 'trace/apis_driver.def')
IGNORE = 'tools/apis.ignore'
MATTERS = re.compile(r'Malloc|HostAlloc|HostRegister|HostUnregister|Free|Memcpy|Memset'
                     r'|Mem(Prefetch|Discard)|Launch|Synchronize|StreamWait|EventRecord')
TWIN = re.compile(r'_pt(sz|ds)$')
ROW = re.compile(r'^CT_(RUNTIME|DRIVER)(?:_(\w+))?\((\w+)(?:,\s*(\d+)\b)?', re.M)
CBID = re.compile(r'CUPTI_(?:RUNTIME|DRIVER)_TRACE_CBID_(\w+)\s*=\s*(\d+)')


def rows(root):
    """Yield (file, line, api, kind, name, number in the second column or None)."""
    for path in TABLES:
        text = lint.read(root, path)
        for m in ROW.finditer(text):
            line = text.count('\n', 0, m.start()) + 1
            yield path, line, m[1], m[2] or '', m[3], int(m[4]) if m[4] else None


def names_of(kind, name):
    return [name, f'{name}_{kind.lower()}'] if kind in ('PTSZ', 'PTDS') else [name]


def read_ignored(root):
    """{name: line}, and findings for lines without a reason."""
    ignored, findings = {}, []
    for number, line in enumerate(lint.read(root, IGNORE).split('\n'), 1):
        if not line.strip() or line.startswith('#'):
            continue
        name, *reason = line.split(None, 1)
        if not reason:
            findings.append((IGNORE, number, f'{name}: no reason given'))
        ignored[name] = number
    return ignored, findings


def exported(library):
    """Names a library defines; a file named *.txt lists them, for the self-test."""
    if library.endswith('.txt'):
        with open(library, encoding='utf-8') as file:
            return set(file.read().split())
    output = subprocess.run(['nm', '-D', '--defined-only', library], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    return {line.split()[-1].split('@')[0] for line in output.splitlines() if line.strip()}


def check_exports(root, library):
    known = {name for _, _, _, kind, row, _ in rows(root) for name in names_of(kind, row)}
    ignored, findings = read_ignored(root)
    names = {name for name in exported(library) if re.match(r'_*cuda', name)}
    if not names:
        findings.append((library, 1, 'exports no cuda* name at all'))
    for name in sorted(names - known - set(ignored)):
        if MATTERS.search(name):
            findings.append((TABLES[0], 1, f'{name} is exported, not a row and not in {IGNORE}'))
        elif TWIN.search(name):
            findings.append((TABLES[0], 1, f'twin {name} is not a row and not in {IGNORE}'))
    for name in sorted(set(ignored) & known):
        findings.append((IGNORE, ignored[name], f'{name} is a row: take it out here'))
    return findings


def read_ids(directory, api):
    path = os.path.join(directory, f'cupti_{api.lower()}_cbid.h')
    with open(path, encoding='utf-8') as file:
        found = CBID.findall(file.read())
    return {int(number): name for name, number in found if name != 'SIZE'}


def same_call(api, ours, theirs):
    """The runtime's names end in a CUDA version; ours may have a short mark in its place."""
    if api == 'DRIVER' or ours == theirs:
        return ours == theirs
    theirs = re.sub(r'_v\d+$', '', theirs)
    return theirs in (ours, re.sub(r'_v\d+(?=$|_pt(?:sz|ds)$)', '', ours))


def check_ids(root, directory):
    ids = {api: read_ids(directory, api) for api in ('RUNTIME', 'DRIVER')}
    seen = {}
    for path, line, api, kind, name, number in rows(root):
        if kind not in ('SEEN', 'ALIAS'):
            continue
        if number is None:
            yield path, line, f'{name}: no callback id'
            continue
        other = seen.setdefault((api, number), name)
        if other != name:
            yield path, line, f'{name}: id {number} is {other}\'s already'
        if number > max(ids[api]):
            continue  # newer than these headers
        theirs = ids[api].get(number)
        if not theirs or not same_call(api, name, theirs):
            yield path, line, f'{name}: id {number} is {theirs or "nothing"} in CUPTI\'s header'


def check(root, library, directory):
    if not os.path.isabs(library):  # of the self-test
        library, directory = os.path.join(root, library), os.path.join(root, directory)
    return check_exports(root, library) + list(check_ids(root, directory))


HEADERS = {
    'inc/cupti_runtime_cbid.h': 'CUPTI_RUNTIME_TRACE_CBID_cudaMemX_ptsz_v12020 = 7,\n'
                                'CUPTI_RUNTIME_TRACE_CBID_cudaMemY_v2_v12020 = 8,\n'
                                'CUPTI_RUNTIME_TRACE_CBID_SIZE = 9,\n',
    'inc/cupti_driver_cbid.h': 'CUPTI_DRIVER_TRACE_CBID_cuInit = 1,\n',
}


def tree(table, exports, ignore='', driver=''):
    return {'trace/apis.def': table, 'trace/apis_driver.def': driver, 'tools/apis.ignore': ignore,
            'exports.txt': exports, **HEADERS}


if __name__ == '__main__':
    ARGUMENTS = ['exports.txt', 'inc']
    lint.main(
        check,
        bad=[(files, ARGUMENTS, expected) for files, expected in (
            (tree('', 'cudaMalloc'), 'cudaMalloc is exported, not a row'),
            (tree('CT_RUNTIME(cudaMalloc, 1, X)\n', 'cudaMalloc cudaFree'), 'cudaFree is exported'),
            (tree('', '__cudaLaunchKernel'), '__cudaLaunchKernel is exported'),
            (tree('CT_RUNTIME(cudaFreeAsync, 1, X)\n', 'cudaFreeAsync cudaFreeAsync_ptsz'),
             'cudaFreeAsync_ptsz is exported'),
            (tree('', 'cudaStreamGetId_ptsz'), 'twin cudaStreamGetId_ptsz'),
            (tree('', 'cudaFree', 'cudaFree\n'), 'cudaFree: no reason'),
            (tree('CT_RUNTIME(cudaFree, 1, X)\n', 'cudaFree', 'cudaFree why\n'), 'is a row'),
            (tree('', 'other'), 'exports no cuda'),
            (tree('\nCT_RUNTIME_SEEN(cudaMemX, 7, X)\n', 'cudaA'), 'apis.def:2: cudaMemX: id 7 is'),
            (tree('CT_RUNTIME_SEEN(cudaMemX, 5, X)\n', 'cudaA'), 'id 5 is nothing'),
            (tree('CT_RUNTIME_SEEN(cudaMemY, 8, X)\n', 'cudaA'), 'cudaMemY: id 8 is cudaMemY_v2'),
            (tree('', 'cudaA', driver='CT_DRIVER_SEEN(cuExit, 1, X)\n'), 'cuExit: id 1 is cuInit'),
            (tree('CT_RUNTIME_SEEN(cudaA, 99, X)\nCT_RUNTIME_SEEN(cudaB, 99, X)\n', 'cudaA'),
             "id 99 is cudaA's already"))],
        good=[
            (tree('CT_RUNTIME_PTSZ(cudaFreeAsync, 11020, 11020, CT_FREE,\n'
                  'CT_RUNTIME_SEEN(cudaMemX_ptsz, 7, X)\n'
                  'CT_RUNTIME_SEEN(cudaMemY_v2, 8, X)\n'
                  'CT_RUNTIME_SEEN(cudaNew, 900, X)\n',
                  'cudaFreeAsync cudaFreeAsync_ptsz cudaGraphAddMemFreeNode cudaGetDevice',
                  '# of another version\n\ncudaFreeNew why\ncudaGraphAddMemFreeNode why not\n',
                  'CT_DRIVER_SEEN(cuInit, 1, X)\n'),
             ARGUMENTS),
        ])

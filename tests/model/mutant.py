#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Break the writer in one place and see the model find it.

Usage: mutant.py NAME ROOT COMPILER-WITH-HOOKS... -- LIBRARY...
       mutant.py --list
"""

import os
import shutil
import subprocess
import sys
import tempfile

# name: (file, what stands there, what the mutant has instead, where the model must see it)
X86, C11 = 'as x86-64 orders', 'as C11 and signal fences'
MUTANTS = {
    'commit before payload': ('writer.h', '''\
	memcpy(to + sizeof(uint32_t), (const uint8_t *)record + sizeof(uint32_t),
	       CT_SLOT_BYTES - sizeof(uint32_t));
	__atomic_store_n((uint32_t *)(void *)to, CT_COMMIT(type, 1), __ATOMIC_RELEASE);
''', '''\
	__atomic_store_n((uint32_t *)(void *)to, CT_COMMIT(type, 1), __ATOMIC_RELEASE);
	memcpy(to + sizeof(uint32_t), (const uint8_t *)record + sizeof(uint32_t),
	       CT_SLOT_BYTES - sizeof(uint32_t));
''', X86),
    'commit without release': ('writer.h', 'CT_COMMIT(type, 1), __ATOMIC_RELEASE',
                               'CT_COMMIT(type, 1), __ATOMIC_RELAXED', C11),
    'slow commit without release': ('writer.c', 'CT_COMMIT(type, slots), __ATOMIC_RELEASE',
                                    'CT_COMMIT(type, slots), __ATOMIC_RELAXED', C11),
    'length after the magic': ('writer.c', '''\
	chunk->bytes = bytes;
	chunk->offset = offset;
''', '''\
	__atomic_store_n(&chunk->magic, CT_CHUNK_MAGIC, __ATOMIC_RELEASE);
	chunk->bytes = bytes;
	chunk->offset = offset;
''', X86),
    'magic without release': ('writer.c', 'CT_CHUNK_MAGIC, __ATOMIC_RELEASE',
                              'CT_CHUNK_MAGIC, __ATOMIC_RELAXED', C11),
    'leftovers not cleared': ('writer.c', '''\
	memset(chunk + writer->used, 0, writer->chunk_bytes - writer->used);
''', '', X86),
    'remnant handed on twice': ('writer.c',
                                '__atomic_exchange_n(&places[i], NULL, __ATOMIC_ACQUIRE)',
                                '__atomic_load_n(&places[i], __ATOMIC_ACQUIRE)', X86),
    'remnant handed on without release': ('writer.c', '''\
chunk, false, __ATOMIC_RELEASE,
''', '''\
chunk, false, __ATOMIC_RELAXED,
''', C11),
    'claims overlap': ('writer.c', '''\
	while (!__atomic_compare_exchange_n(claimed, &offset, offset + bytes, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
''', '''\
	while (0);
	__atomic_store_n(claimed, offset + bytes, __ATOMIC_RELAXED);
''', X86),
    'kept slots taken twice': ('keep.c', '''\
		bool ours = __atomic_compare_exchange_n(
			word, &seen, CT_COMMIT(CT_RECORD_NONE, bytes / CT_SLOT_BYTES), false,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED);
''', '''\
		bool ours = !(seen = __atomic_load_n(word, __ATOMIC_RELAXED));

		if (ours)
			__atomic_store_n(word, CT_COMMIT(CT_RECORD_NONE, bytes / CT_SLOT_BYTES),
					 __ATOMIC_RELAXED);
''', X86),
    'kept slots taken without length': ('keep.c', 'CT_COMMIT(CT_RECORD_NONE, bytes / CT_SLOT_BYTES)',
                                        'CT_COMMIT(CT_RECORD_NONE, 1)', X86),
    'THREAD before its context': ('keep.c', '''\
	fill(to + CT_SLOT_BYTES, CT_RECORD_CONTEXT, record);
	fill(to, CT_RECORD_THREAD, &thread); /* its length now ends before the other begins */
''', '''\
	fill(to, CT_RECORD_THREAD, &thread);
	fill(to + CT_SLOT_BYTES, CT_RECORD_CONTEXT, record);
''', X86),
    'overwritten not counted first': ('flight.c', '''\
		account(file, chunk, bytes);
		empty(file, chunk, bytes);
''', '''\
		empty(file, chunk, bytes);
		account(file, chunk, bytes);
''', X86),
    'chunk emptied from its end': ('flight.c', '''\
	__atomic_store_n((uint32_t *)(void *)(chunk + CT_SLOT_BYTES), 0, __ATOMIC_RELEASE);
''', '', C11),
    'first record cleared without release': ('flight.c',
                                             '(chunk + CT_SLOT_BYTES), 0, __ATOMIC_RELEASE',
                                             '(chunk + CT_SLOT_BYTES), 0, __ATOMIC_RELAXED', C11),
    'no fence before the zeros': ('flight.c', '''\
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* first this: we may be killed in the next line */
''', '', C11),
    'chunk not emptied': ('flight.c', '''\
	memset(chunk + CT_SLOT_BYTES, 0, bytes - CT_SLOT_BYTES);
''', '', X86),
    'chunk used again by two': ('flight.c', '''\
	} while (unit && !__atomic_compare_exchange_n(&flight->full[unit], &first, 0, false,
						      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
''', '''\
	} while (0);
	__atomic_store_n(&flight->full[unit], 0, __ATOMIC_RELAXED);
''', X86),
}


def mutate(name, root, where):
    os.mkdir(os.path.join(where, 'trace'))
    for entry in os.listdir(os.path.join(root, 'trace')):
        if entry.endswith(('.c', '.h', '.def')):
            shutil.copy(os.path.join(root, 'trace', entry), os.path.join(where, 'trace'))
    file, there, instead, _ = MUTANTS[name]
    path = os.path.join(where, 'trace', file)
    with open(path, encoding='utf-8') as source:
        text = source.read()
    assert text.count(there) == 1, f'{name}: {file} has changed; look for what to break again'
    with open(path, 'w', encoding='utf-8') as source:
        source.write(text.replace(there, instead))


def run(name, root, compiler, libraries):
    with tempfile.TemporaryDirectory() as where:
        mutate(name, root, where)
        sources = [os.path.join(where, 'trace', f'{unit}.c') for unit in ('writer', 'flight', 'keep')]
        sources.append(os.path.join(root, 'tests/model/scenes.c'))
        program = os.path.join(where, 'model')
        objects = []
        for source in sources:
            objects.append(os.path.join(where, os.path.basename(source) + '.o'))
            subprocess.run(compiler + [f'-I{where}', f'-I{root}', '-c', source, '-o', objects[-1]],
                           check=True)
        subprocess.run([compiler[0], '-o', program] + objects + libraries, check=True)
        done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end='')
    seen = MUTANTS[name][3]
    assert done.returncode == 1, f'{name}: not found (status {done.returncode})'
    assert seen in done.stdout, f'{name}: found, but not "{seen}"'


if __name__ == '__main__':
    if sys.argv[1:] == ['--list']:
        print('\n'.join(MUTANTS))
    else:
        split = sys.argv.index('--')
        run(sys.argv[1], sys.argv[2], sys.argv[3:split], sys.argv[split + 1:])

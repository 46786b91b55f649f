/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/writer.h"

void ct_writer_wipe(uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		__atomic_store_n((uint64_t *)(void *)at + i, 0, __ATOMIC_RELAXED);
}

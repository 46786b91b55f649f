/* SPDX-License-Identifier: Apache-2.0 */
/* Call stacks: taken by libunwind, kept once each, named by a small id. */
#ifndef CT_SHIM_STACK_H
#define CT_SHIM_STACK_H

#include <stdbool.h>
#include <stdint.h>

struct ct_thread;

/* Load the unwinder and make the table. Without either, no stacks and a note says so. */
void ct_stack_init(bool wanted);

/*
 * Take the calling thread's stack, without our own frames. key: as in
 * ct_walk_recognise(). Returns its id, or 0 if there is none; a loss is counted unless
 * stacks were not wanted.
 */
uint32_t ct_stack_take(struct ct_thread *thread, uint64_t key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recognising a call stack without unwinding it. After one walk of a stack we know
 * where on the stack each return address lies. The next time a call is made the same
 * way, those words are compared instead.
 *
 * Why that works: the first word is at a distance from our own frame that is fixed for
 * one wrapper. If it holds the known return address, the caller is the known place in the
 * known function, whose frame has a fixed size there, so the next word is where it was,
 * and so on outwards. A frame of variable size (alloca) moves the words behind it: then
 * one of them does not match and the stack is walked; for all of them to match, each
 * would have to have a stale copy of the right address at the right distance. Nothing
 * outside the thread's own stack is read, and on any other stack (makecontext) nothing
 * is recognised.
 */
#ifndef CT_SHIM_WALK_H
#define CT_SHIM_WALK_H

#include <stdint.h>

struct ct_thread;

/* Take what the unwinder library offers for it. Without it nothing is recognised. */
void ct_walk_init(void *unwinder);

/*
 * The stack id of a call that was made the same way before; 0 if it was not. key tells
 * apart ways into cutrace: wrapper or callback, and which call. base: frame address of
 * the caller, which must be the same function every time.
 */
uint32_t ct_walk_recognise(struct ct_thread *thread, uint64_t key, const void *base);

/*
 * Learn the stack of `frames` frames that has just been walked and named `stack`. A walk
 * of this kind is slow, so it is made only for a stack that comes again while it is among
 * the last few of its place, and not again for one that could not be followed.
 */
void ct_walk_learn(struct ct_thread *thread, uint64_t key, const void *base, uint32_t stack,
		   uint32_t frames);

/* The thread ends. */
void ct_walk_finish(struct ct_thread *thread);

#endif

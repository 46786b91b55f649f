/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a thread's call waited for outside CUDA: another thread's. A queue, a semaphore or a
 * future between two threads is in no trace, but it shows: time and again a thread goes on
 * shortly after a call of another has returned, and that delay varies less than the pause that
 * it ends. Replayed without a wait of the one, the other goes on sooner as well.
 */
#ifndef CT_ANALYZE_HANDOFF_H
#define CT_ANALYZE_HANDOFF_H

#include "analyze/model.h"

#define CT_HANDOFF_PAUSE_NS 100000 /* shorter pauses are taken for the thread's own time */
#define CT_HANDOFF_LEAST 12        /* so often, from one place to another, or it is chance */
#define CT_HANDOFF_CLOSE 5         /* the delay is such a part of the time to the next return, */
#define CT_HANDOFF_SHORT 8         /* and such a part of the pause, at most */
#define CT_HANDOFF_LONG 4         /* or such a part, if it varies less by twice as far beyond chance */
#define CT_HANDOFF_SURE 3          /* standard deviations from chance, one place in 700; of more threads than two, more */
#define CT_HANDOFF_SAMPLE 128      /* pauses that are looked at for that: it takes their square */
#define CT_HANDOFF_THREADS 64      /* with more that call nothing is looked for: it takes their square */

/* How many threads call: of more than CT_HANDOFF_THREADS no handoff is found. */
size_t ct_handoffs_callers(const struct ct_model *model);

/*
 * Find them. ret_after, of model->calls.count, gets by call the one of another thread that it
 * came after, or CT_NONE. A thread's pauses that end in one place are put down to another
 * thread's returns from one place if there are CT_HANDOFF_LEAST or more, and three in four end
 * within the first fifth of the time from that return to the next of its like: of threads that
 * know nothing of each other one in five does. The delay is short beside the pause, and varies
 * less, two thirds as much (of few pauses less than that) or else beyond chance: where a thread
 * slept or worked for itself, it is the pause that is regular. (To wake PyTorch's autograd thread
 * takes 130 to 180 us of pauses of 1200 to 1400, on either side of an eighth: H200, tools/savings
 * torch_caching.) Of returns that come now just before a pause's end, now just after, as of
 * threads on one clock, those before look regular: there may be one after it for every
 * CT_HANDOFF_SHORT before. A pause's end that varies less from where the other was called, two
 * thirds as much, waited for no return: a third thread woke both. Of several such places it is the
 * one with the most regular delay.
 * Returns 0 or -ENOMEM.
 */
int ct_handoffs_find(const struct ct_model *model, uint32_t *ret_after);

#endif

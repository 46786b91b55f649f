/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When is recorded: windows, that begin and end by CUTRACE_START, by `cutrace ctl`, by a signal
 * or by cudaProfilerStart() and cudaProfilerStop(). Whoever asks, the cutrace thread does it
 * (ct_mode_record()). Outside of windows nothing is recorded, nothing counted, and CUPTI is not
 * loaded before the first.
 *
 * `cutrace ctl` asks through struct ct_control in the mapped header of the trace, which is the
 * user's own file of mode 0600: no signal, no socket, no descriptor. A forked child has no
 * trace of its own and no cutrace thread, so it answers nobody.
 */
#ifndef CT_SHIM_CONTROL_H
#define CT_SHIM_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Begin as CUTRACE_START says: once, after ct_mode_start(). A signal that was asked for by name
 * is taken only if the program leaves it at its default: what the program does with it, then or
 * later, stays.
 */
void ct_control_start(void);

/*
 * Do what was asked for since the last time, and say in the trace's header what the state is;
 * for the cutrace thread alone. Returns in how many nanoseconds it is to be called again;
 * UINT64_MAX: not before somebody asks.
 */
uint64_t ct_control_turn(void);

/* Have CUPTI hand over what it has finished; for the cutrace thread alone. */
void ct_control_fetch(void);

/*
 * The program has called cudaProfilerStart() (on) or is about to call cudaProfilerStop(). Under
 * CUTRACE_START=api, waits until the window has begun or ended, so that all calls between the
 * two are recorded and no others; ten seconds at most, and not again while the cutrace thread
 * does not come round, as in a CUPTI that hangs. As the CUDA manual says of both, a
 * second call in a row changes nothing. Never changes errno.
 */
void ct_control_profiler(bool on);

#endif

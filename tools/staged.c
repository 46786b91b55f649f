/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/staged.h"

#include <stdio.h>

#include "analyze/report.h"

#define MIB (1 << 20)
#define MORE "          " /* before a further line of what a head says */

static void print_range(const char *what, const struct ct_range *range, const char *more)
{
	char low[16], likely[16], high[16];

	printf("          %s %s to %s, most likely %s%s\n", what, ct_report_time(range->low_ns, low),
	       ct_report_time(range->high_ns, high), ct_report_time(range->likely_ns, likely), more);
}

static bool alike(const struct ct_range *a, const struct ct_range *b)
{
	return a->low_ns == b->low_ns && a->likely_ns == b->likely_ns && a->high_ns == b->high_ns;
}

int ct_print_beyond(const struct ct_analysis *analysis, enum ct_fix fix, const struct ct_range *made)
{
	struct ct_range by_hand, frees, copies;
	int r = ct_whatif_by_hand(analysis, fix, &by_hand);

	if (r == 0 && !alike(&by_hand, made))
		print_range("by hand", &by_hand,
			    fix == CT_FIX_FREE ? ", of calls too that the fix leaves alone"
					       : ",\n          of calls too that the fix leaves alone, and "
						 "with buffers page-locked for good");
	if (r < 0 || fix != CT_FIX_ALL)
		return r;
	r = ct_whatif_of(analysis, CT_FIX_FREE, &frees);
	if (r == 0)
		r = ct_whatif_of(analysis, CT_FIX_PIN, &copies);
	if (r < 0)
		return r;
	print_range("free alone", &frees, "");
	print_range("pin alone", &copies, ",");
	ct_report_wrapped(stdout, MORE, MORE, "which can be less together (both save the same) or more (one "
			  "takes over the other's wait)");
	return 0;
}

static const char *const reasons[CT_PIN_LEFTS] = {
	[CT_PIN_LEFT_TO_HOST] =
		"to the host: programs may read the data on return (the manual up to CUDA 11)",
	[CT_PIN_LEFT_SMALL] =
		"of 64 KiB or less, whatever their memory: the driver does not wait for these",
	[CT_PIN_LEFT_LARGE] = "of more than the pool's 64 MiB",
	[CT_PIN_LEFT_FORM] = "to the device, but in 2D or 3D, to an array, or in a batch",
	[CT_PIN_LEFT_TARGET] = "to managed memory or other memory than the device's own",
	[CT_PIN_LEFT_CAPTURE] =
		"in streams being captured: the graph reads the buffer when it runs",
	[CT_PIN_LEFT_CONTEXT] = "in another context than the first with such a copy",
	[CT_PIN_LEFT_HOST_WORK] =
		"behind a host function, graph or batch still to run: it may write the buffer",
	[CT_PIN_LEFT_FULL] = "as the pool of 64 MiB was in use, or being enlarged",
	[CT_PIN_LEFT_REFUSED] = "as no page-locked memory was to be had",
	[CT_PIN_LEFT_FAILED] = "as the staged copy was refused",
};

static void print_left(const struct ct_pin_counts *pin)
{
	for (int why = 0; why < CT_PIN_LEFTS; why++)
		if (pin->left[why])
			ct_report_wrapped(stdout, MORE, MORE, "left alone: %llu %s %s",
					  (unsigned long long)pin->left[why],
					  pin->left[why] == 1 ? "copy" : "copies", reasons[why]);
}

void ct_print_staged(const struct ct_fix_counts *counts, bool heads)
{
	const struct ct_pin_counts *pin = &counts->pin;

	printf("%-10s%llu asynchronous %s of pageable memory to the device, %.1f MiB, %s staged\n",
	       heads ? "changed" : "", (unsigned long long)pin->staged,
	       pin->staged == 1 ? "copy" : "copies", (double)pin->staged_bytes / MIB,
	       pin->staged == 1 ? "was" : "were");
	if (pin->pool_bytes)
		printf("          for that %.1f MiB were page-locked, which took %.1f ms of the "
		       "fixed run\n",
		       (double)pin->pool_bytes / MIB, (double)pin->pool_ns / 1e6);
	print_left(pin);
	if (pin->cannot)
		printf("          no copy was changed: the driver lacks what staging needs\n");
	if (pin->lost_blocks)
		ct_report_wrapped(stdout, MORE, MORE, "lost: %llu blocks of the pool, of which nothing tells "
				  "when the device is done", (unsigned long long)pin->lost_blocks);
	if (pin->staged && pin->kernels_reach)
		ct_report_wrapped(stdout, MORE, MORE, "kernels of this device can write pageable memory; one "
				  "that writes a buffer copied behind it with no wait between is not noticed");
}

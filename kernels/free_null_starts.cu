/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: is the price of CUDA's start told apart from what the first call does?
 *
 * Many programs call cudaFree(NULL) to create the context at a place of their choice. The
 * call is long, by far the longest here; it freed nothing and waited for nothing. The
 * second such call returns at once.
 */
#include "expect.h"

int main(void)
{
	int start_line, later_line;

	AT(start_line, cudaFree(NULL));
	warm_up();
	AT(later_line, cudaFree(NULL));

	expect("calls cudaFree 2");
	expect("device kernel 1");
	expect("blocked cudaFree class=first_use at=%s", SITE(start_line));
	expect("not_blocked cudaFree at=%s below=1", SITE(start_line));
	expect("blocked cudaFree class=first_use at=%s count=0", SITE(later_line));
	expect("not_blocked cudaFree at=%s below=1", SITE(later_line));
	expect("nothing_serialized");
	return done();
}

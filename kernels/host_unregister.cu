/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Question: do pinning and unpinning host memory wait for the device?
 *
 * Behind a 20 ms kernel the program registers 16 MiB and unregisters it again. Registering
 * takes about a millisecond of driver work and waits for nothing; unregistering waits
 * until all work on the device is done.
 */
#include "expect.h"

#define BYTES (16 * MIB)

int main(void)
{
	void *host = malloc(BYTES);
	int register_line, unregister_line;
	cudaStream_t stream;

	memset(host, 0, BYTES);
	warm_up();
	CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));

	launch_spin(20 * MS, stream);
	AT(register_line, cudaHostRegister(host, BYTES, cudaHostRegisterDefault));
	AT(unregister_line, cudaHostUnregister(host));
	free(host);

	expect("calls cudaHostRegister 1");
	expect("calls cudaHostUnregister 1");
	expect("device kernel 2");
	expect("not_blocked cudaHostRegister at=%s", SITE(register_line));
	expect("blocked cudaHostUnregister class=device_wait on=spin at=%s count=1 ns=10e6..40e6",
	       SITE(unregister_line));
	expect("nothing_serialized");
	return done();
}

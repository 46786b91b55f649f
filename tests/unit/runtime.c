/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that nvcc and a static runtime put into a program, for analyze_place_test: they are
 * looked up, never called. Built without debug information, as libcudart_static.a is.
 */
#define FUNCTION(name, symbol)                                                                     \
	int name(int x) __asm__(symbol);                                                           \
	int name(int x)                                                                            \
	{                                                                                          \
		return x + __LINE__;                                                               \
	}

FUNCTION(stub, "_Z22__device_stub__Z4spinxx")
FUNCTION(launch, "_ZL18__cudaLaunchKernelPKc")
FUNCTION(host_function, "_Z4spinx")
FUNCTION(other_function, "_Z5otherx")
FUNCTION(runtime_call, "cudaMallocX")
FUNCTION(runtime_hidden, "libcudart_static_0123")
FUNCTION(runtime_register, "__cudaRegisterX")
FUNCTION(runtime_class, "_ZN6cudart5stuffEv")
FUNCTION(plain_function, "compute")
FUNCTION(program_main, "main")
FUNCTION(caller_of_main, "start_of_all")

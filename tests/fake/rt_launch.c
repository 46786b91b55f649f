/* SPDX-License-Identifier: Apache-2.0 */
/* Loading code, and launches in the forms that nvcc's code and people write. */
#include "rt.h"

#include <stdlib.h>

/* Of the <<<>>> being evaluated; its arguments may hold another. */
static _Thread_local struct configuration {
	struct configuration *below;
	dim3 grid, block;
	size_t shared_bytes;
	cudaStream_t stream;
} *configurations;

FAKE_EXPORT unsigned int __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes,
						     cudaStream_t stream);
FAKE_EXPORT unsigned int __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes,
						     cudaStream_t stream)
{
	struct configuration *pushed = malloc(sizeof(*pushed));

	if (!pushed)
		abort();
	*pushed = (struct configuration){ configurations, grid, block, shared_bytes, stream };
	configurations = pushed;
	return 0;
}

FAKE_EXPORT cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
						   void *stream);
FAKE_EXPORT cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
						   void *stream)
{
	struct configuration *popped = configurations;

	if (!popped)
		return cudaErrorMissingConfiguration;
	*grid = popped->grid;
	*block = popped->block;
	*shared_bytes = popped->shared_bytes;
	*(cudaStream_t *)stream = popped->stream;
	configurations = popped->below;
	free(popped);
	return cudaSuccess;
}

static cudaError_t launch(const void *func, dim3 grid, dim3 block, void **args,
			  size_t shared_bytes, cudaStream_t stream)
{
	struct fake_function *function = rt_function(func);

	if (!function)
		return cudaErrorInvalidDeviceFunction;
	return rt_error(cuLaunchKernel((CUfunction)function, grid.x, grid.y, grid.z, block.x,
				       block.y, block.z, (unsigned int)shared_bytes, stream, args,
				       NULL));
}

RT_LAUNCH(cudaLaunchKernel, 7000, _ptsz, 7000, func,
	  (const void *func, dim3 gridDim, dim3 blockDim, void **args, size_t sharedMem,
	   cudaStream_t stream),
	  (func, gridDim, blockDim, args, sharedMem, stream))
{
	return launch(func, gridDim, blockDim, args, sharedMem, stream);
}

/* What nvcc 13 emits for <<<>>>. CUPTI 13.0 was seen to report it as cudaLaunchKernel. */
#define LAUNCH_PARAMETERS                                                                          \
	(cudaKernel_t kernel, dim3 gridDim, dim3 blockDim, void **args, size_t sharedMem,          \
	 cudaStream_t stream)
#define LAUNCH_ARGUMENTS ((const void *)kernel, gridDim, blockDim, args, sharedMem, stream)

RT_ENTRY(kernel, ready_cudaLaunchKernel, __cudaLaunchKernel, cudaLaunchKernel_v7000, false,
	 LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS)
RT_ENTRY(kernel, ready_cudaLaunchKernel, __cudaLaunchKernel_ptsz, cudaLaunchKernel_ptsz_v7000,
	 true, LAUNCH_PARAMETERS, LAUNCH_ARGUMENTS)

RT_LAUNCH(cudaLaunchKernelExC, 11060, _ptsz, 11060, func,
	  (const cudaLaunchConfig_t *config, const void *func, void **args), (config, func, args))
{
	return launch(func, config->gridDim, config->blockDim, args, config->dynamicSmemBytes,
		      config->stream);
}

RT_LAUNCH(cudaLaunchCooperativeKernel, 9000, _ptsz, 9000, func,
	  (const void *func, dim3 gridDim, dim3 blockDim, void **args, size_t sharedMem,
	   cudaStream_t stream),
	  (func, gridDim, blockDim, args, sharedMem, stream))
{
	return launch(func, gridDim, blockDim, args, sharedMem, stream);
}

RT_PTSZ(cudaLaunchHostFunc, 10000, 10000, (cudaStream_t stream, cudaHostFn_t fn, void *userData),
	(stream, fn, userData))
{
	return rt_error(cuLaunchHostFunc(stream, fn, userData));
}

RT_PTSZ(cudaStreamAddCallback, 5000, 7000,
	(cudaStream_t stream, cudaStreamCallback_t callback, void *userData, unsigned int flags),
	(stream, callback, userData, flags))
{
	return rt_error(cuStreamAddCallback(stream, (CUstreamCallback)callback, userData, flags));
}

RT(cudaFuncGetAttributes, 3020, (struct cudaFuncAttributes *attr, const void *func), (attr, func))
{
	if (!rt_function(func))
		return cudaErrorInvalidDeviceFunction;
	*attr = (struct cudaFuncAttributes){
		.maxThreadsPerBlock = 1024, .numRegs = 32, .ptxVersion = 90, .binaryVersion = 90,
	};
	return cudaSuccess;
}

RT(cudaFuncSetAttribute, 9000, (const void *func, enum cudaFuncAttribute attr, int value),
   (func, attr, value))
{
	(void)attr, (void)value;
	return rt_function(func) ? cudaSuccess : cudaErrorInvalidDeviceFunction;
}

RT(cudaOccupancyMaxActiveBlocksPerMultiprocessor, 6050,
   (int *numBlocks, const void *func, int blockSize, size_t dynamicSMemSize),
   (numBlocks, func, blockSize, dynamicSMemSize))
{
	(void)func, (void)dynamicSMemSize;
	*numBlocks = blockSize > 0 ? 2048 / blockSize : 0;
	return cudaSuccess;
}

RT(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, 7000,
   (int *numBlocks, const void *func, int blockSize, size_t dynamicSMemSize, unsigned int flags),
   (numBlocks, func, blockSize, dynamicSMemSize, flags))
{
	(void)func, (void)dynamicSMemSize, (void)flags;
	*numBlocks = blockSize > 0 ? 2048 / blockSize : 0;
	return cudaSuccess;
}

RT(cudaLibraryLoadData, 12060,
   (cudaLibrary_t *library, const void *code, enum cudaJitOption *jitOptions,
    void **jitOptionsValues, unsigned int numJitOptions, enum cudaLibraryOption *libraryOptions,
    void **libraryOptionValues, unsigned int numLibraryOptions),
   (library, code, jitOptions, jitOptionsValues, numJitOptions, libraryOptions,
    libraryOptionValues, numLibraryOptions))
{
	return rt_error(cuLibraryLoadData((CUlibrary *)library, code, (CUjit_option *)jitOptions,
					  jitOptionsValues, numJitOptions,
					  (CUlibraryOption *)libraryOptions, libraryOptionValues,
					  numLibraryOptions));
}

RT(cudaLibraryUnload, 12060, (cudaLibrary_t library), (library))
{
	return rt_error(cuLibraryUnload((CUlibrary)library));
}

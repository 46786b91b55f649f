/* SPDX-License-Identifier: Apache-2.0 */
/* Driver calls about two devices: who may reach whose memory, and copies between them. */
#include "engine.h"

#include <stdatomic.h>

static atomic_bool access_of[FAKE_DEVICES_MOST][FAKE_DEVICES_MOST]; /* who, to whose memory */

bool fake_peer_access(uint32_t device, uint32_t peer)
{
	return access_of[device][peer];
}

static bool are_peers(CUdevice dev, CUdevice peer)
{
	int count = (int)fake_device_count();

	return dev != peer && dev >= 0 && peer >= 0 && dev < count && peer < count;
}

DRIVER_EARLY(cuDeviceCanAccessPeer, (int *canAccessPeer, CUdevice dev, CUdevice peerDev),
	     (canAccessPeer, dev, peerDev))
{
	*canAccessPeer = are_peers(dev, peerDev);
	return *canAccessPeer || dev == peerDev ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

DRIVER_EARLY(cuDeviceGetP2PAttribute,
	     (int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice dstDevice),
	     (value, attrib, srcDevice, dstDevice))
{
	if (!are_peers(srcDevice, dstDevice))
		return CUDA_ERROR_INVALID_DEVICE;
	*value = attrib == CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED ||
		 attrib == CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED;
	return CUDA_SUCCESS;
}

DRIVER(cuCtxEnablePeerAccess, (CUcontext peerContext, unsigned int Flags), (peerContext, Flags))
{
	uint32_t peer;

	if (Flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (!fake_device_of(peerContext, &peer) || peer == fake_device())
		return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
	return atomic_exchange(&access_of[fake_device()][peer], true) ?
		       CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED :
		       CUDA_SUCCESS;
}

DRIVER(cuCtxDisablePeerAccess, (CUcontext peerContext), (peerContext))
{
	uint32_t peer;

	if (!fake_device_of(peerContext, &peer))
		return CUDA_ERROR_INVALID_CONTEXT;
	return atomic_exchange(&access_of[fake_device()][peer], false) ?
		       CUDA_SUCCESS :
		       CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
}

/* The contexts say no more than the addresses do: all memory is in one space. */
static bool on_devices(CUdeviceptr dst, CUdeviceptr src)
{
	return fake_memory_kind_of((void *)dst, NULL, NULL) >= FAKE_DEVICE &&
	       fake_memory_kind_of((void *)src, NULL, NULL) >= FAKE_DEVICE;
}

DRIVER_PTDS(cuMemcpyPeer,
	    (CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	     CUcontext srcContext, size_t ByteCount),
	    (dstDevice, dstContext, srcDevice, srcContext, ByteCount))
{
	(void)dstContext, (void)srcContext;
	if (!ByteCount)
		return CUDA_SUCCESS;
	if (!on_devices(dstDevice, srcDevice))
		return CUDA_ERROR_INVALID_VALUE;
	struct fake_copy copy = fake_copy_line(dstDevice, srcDevice, ByteCount);
	return copy.dst_device == copy.src_device ?
		       fake_do_copy(copy, fake_stream_get(NULL), false) :
		       fake_do_peer_copy(copy, fake_stream_get(NULL));
}

DRIVER_PTSZ(cuMemcpyPeerAsync,
	    (CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
	     CUcontext srcContext, size_t ByteCount, CUstream hStream),
	    (dstDevice, dstContext, srcDevice, srcContext, ByteCount, hStream))
{
	(void)dstContext, (void)srcContext;
	if (!ByteCount)
		return CUDA_SUCCESS;
	if (!on_devices(dstDevice, srcDevice))
		return CUDA_ERROR_INVALID_VALUE;
	return fake_do_copy(fake_copy_line(dstDevice, srcDevice, ByteCount),
			    fake_stream_get(hStream), true);
}

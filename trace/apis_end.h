/* SPDX-License-Identifier: Apache-2.0 */
/* Undefines what a reader and trace/apis_begin.h defined. No include guard on purpose. */
#undef CT_RUNTIME
#undef CT_RUNTIME_VOID
#undef CT_RUNTIME_ALIAS
#undef CT_RUNTIME_SEEN
#undef CT_RUNTIME_PTSZ
#undef CT_RUNTIME_PTDS
#undef CT_DRIVER
#undef CT_DRIVER_VOID
#undef CT_DRIVER_SEEN
#undef CT_DRIVER_PTSZ
#undef CT_DRIVER_PTDS
#undef CT_EXTENT
#undef CT_AREA
#undef CT_BOX
#undef CT_MEMBER

# SPDX-License-Identifier: Apache-2.0
# Reads cupti_runtime_cbid.h or cupti_driver_cbid.h, prints [id] = "name" rows.
/CUPTI_[A-Z]+_TRACE_CBID_[a-zA-Z_].*= *[0-9]+,/ {
	name = $1
	sub(/^CUPTI_[A-Z]+_TRACE_CBID_/, "", name)
	if (name != "INVALID")
		printf "[%d] = \"%s\",\n", $3, name
}

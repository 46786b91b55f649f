# SPDX-License-Identifier: Apache-2.0
# Reads CUPTI's generated_cuda_meta.h, prints a definition of each driver function in it that
# finds the real one when it is first called: what a static runtime has in place of a library.
BEGIN {
	print "#include \"static_driver.h\""
}
/^typedef struct .*_params_st [{]/ {
	params = args = ""
	next
}
/^} .*_params;/ {
	name = $2
	sub(/_params;.*/, "", name)
	printf "STATIC_DRIVER(%s, (%s), (%s))\n", name, params, args
	next
}
/^ .*;/ {
	line = $0
	sub(/^ */, "", line)
	sub(/;.*/, "", line)
	arg = line
	sub(/.*[ *]/, "", arg)
	params = params (params == "" ? "" : ", ") line
	args = args (args == "" ? "" : ", ") arg
}

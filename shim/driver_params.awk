# SPDX-License-Identifier: Apache-2.0
# Reads CUPTI's generated_cuda_meta.h, whose struct NAME_params has the parameters of the driver
# function NAME in their order, and then trace/apis_driver.def. Prints for each row what
# shim/wrap_driver.c needs of a prototype:
#   PARAMS_name  the parameter list      ARGS_name  the same as arguments
#   KNOWN_name(...)  of a _SEEN row: its arguments, or nothing where these headers lack the function
# cuInit is left out: its wrapper is written by hand.

FILENAME ~ /\.h$/ && /^typedef struct .*_params_st [{]/ {
	params = args = ""
	next
}
FILENAME ~ /\.h$/ && /^} .*_params;/ {
	name = $2
	sub(/_params;.*/, "", name)
	known[name] = 1
	params_of[name] = params
	args_of[name] = args
	next
}
FILENAME ~ /\.h$/ && /^ .*;/ {
	line = $0
	sub(/^ */, "", line)
	sub(/;.*/, "", line)
	arg = line
	sub(/.*[ *]/, "", arg)
	params = params (params == "" ? "" : ", ") line
	args = args (args == "" ? "" : ", ") arg
	next
}
function prototype(name) {
	if (name in known) {
		printf "#define PARAMS_%s (%s)\n", name, params_of[name]
		printf "#define ARGS_%s (%s)\n", name, args_of[name]
	}
}
/^CT_DRIVER[A-Z_]*\(cu/ {
	kind = name = $0
	sub(/\(.*/, "", kind)
	sub(/^[A-Z_]*\(/, "", name)
	sub(/[,)].*/, "", name)
	prototype(name)
	if (kind ~ /_PTSZ$/)
		prototype(name "_ptsz")
	if (kind ~ /_PTDS$/)
		prototype(name "_ptds")
	if (kind ~ /_SEEN$/)
		printf "#define KNOWN_%s(...) %s\n", name,
		       (name in known) && name != "cuInit" ? "__VA_ARGS__" : ""
}

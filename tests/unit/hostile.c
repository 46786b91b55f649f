/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library for debugfile_test. Its debug information (DWARF 5, by hand) has the name of hostile()
 * in an alternate file, which elfutils would open to find it.
 */
int hostile(int x);
__attribute__((used)) int hostile(int x)
{
	return x + 1;
}

__asm__(".section .debug_abbrev,\"\",@progbits\n"
	".byte 1, 0x11, 1, 0x11, 0x01, 0x12, 0x07, 0, 0\n" /* compile_unit: low_pc, high_pc data8 */
	".byte 2, 0x2e, 0, 0x11, 0x01, 0x12, 0x07\n"       /* subprogram: the same, */
	".byte 0x03, 0xa1, 0x3e, 0, 0\n"                   /* name GNU_strp_alt */
	".byte 0\n"
	".section .debug_info,\"\",@progbits\n"
	".long 2f - 1f\n"
	"1: .short 5\n"
	".byte 1, 8\n" /* DW_UT_compile, bytes of an address */
	".long 0\n"    /* abbreviations */
	".byte 1\n"
	".quad hostile, 16\n"
	".byte 2\n"
	".quad hostile, 16\n"
	".long 0\n"
	".byte 0\n"
	"2:\n"
	".section .gnu_debugaltlink,\"\",@progbits\n"
	".asciz \"shared.debug\"\n"
	".ascii \"a build id: 20 bytes\"\n"
	".text\n");

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A definition of one of the loader's functions of two arguments, which leaves these and the
 * return address as they are, as the loader goes by it, and jumps to where `pick` says. That gets
 * the return address as a third argument, and so does what is jumped to.
 */
#ifndef CT_SHIM_TRAMPOLINE_H
#define CT_SHIM_TRAMPOLINE_H

#if defined(__x86_64__)
#define CT_TRAMPOLINE(name, pick)                                                                  \
	__asm__(".text\n"                                                                         \
		".p2align 4\n"                                                                    \
		".globl " name "\n"                                                               \
		".type " name ", @function\n"                                                     \
		name ":\n"                                                                        \
		".cfi_startproc\n"                                                                \
		"	endbr64\n"                                                                \
		"	push %rdi\n"                                                              \
		".cfi_adjust_cfa_offset 8\n"                                                      \
		"	push %rsi\n"                                                              \
		".cfi_adjust_cfa_offset 8\n"                                                      \
		"	sub $8, %rsp\n"                                                           \
		".cfi_adjust_cfa_offset 8\n"                                                      \
		"	mov 24(%rsp), %rdx\n"                                                     \
		"	call " pick "\n"                                                          \
		"	add $8, %rsp\n"                                                           \
		".cfi_adjust_cfa_offset -8\n"                                                     \
		"	pop %rsi\n"                                                               \
		".cfi_adjust_cfa_offset -8\n"                                                     \
		"	pop %rdi\n"                                                               \
		".cfi_adjust_cfa_offset -8\n"                                                     \
		"	mov (%rsp), %rdx\n"                                                       \
		"	jmp *%rax\n"                                                              \
		".cfi_endproc\n"                                                                  \
		".size " name ", . - " name "\n");
#elif defined(__aarch64__)
#define CT_TRAMPOLINE(name, pick)                                                                  \
	__asm__(".text\n"                                                                         \
		".p2align 4\n"                                                                    \
		".globl " name "\n"                                                               \
		".type " name ", @function\n"                                                     \
		name ":\n"                                                                        \
		".cfi_startproc\n"                                                                \
		"	stp x29, x30, [sp, #-32]!\n"                                              \
		".cfi_def_cfa_offset 32\n"                                                        \
		".cfi_offset 29, -32\n"                                                           \
		".cfi_offset 30, -24\n"                                                           \
		"	stp x0, x1, [sp, #16]\n"                                                  \
		"	mov x2, x30\n"                                                            \
		"	bl " pick "\n"                                                            \
		"	mov x16, x0\n"                                                            \
		"	ldp x0, x1, [sp, #16]\n"                                                  \
		"	ldp x29, x30, [sp], #32\n"                                                \
		".cfi_def_cfa_offset 0\n"                                                         \
		"	mov x2, x30\n"                                                            \
		"	br x16\n"                                                                 \
		".cfi_endproc\n"                                                                  \
		".size " name ", . - " name "\n");
#else
#define CT_TRAMPOLINE(name, pick) /* the function is left alone */
#endif

#endif

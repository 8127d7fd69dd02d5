/*
 * The unwinder of a program that never unwinds.
 *
 * The release profile says panic = "abort", so nothing ever walks the stack; std still refers to the unwinder by name
 * (it offers backtraces and foreign exceptions). Linking a real one would cost some 60 KiB of flash for code that never
 * runs. A walk ends at once, everything else is a fault of ours and aborts.
 */
#include <stdlib.h>

#define END_OF_STACK 5

int _Unwind_Backtrace(void *step, void *data)
{
	(void)step;
	(void)data;
	return END_OF_STACK;
}

#define NEVER(name)                                                                                                    \
	void name(void)                                                                                                \
	{                                                                                                              \
		abort();                                                                                               \
	}

NEVER(_Unwind_RaiseException)
NEVER(_Unwind_Resume)
NEVER(_Unwind_DeleteException)
NEVER(_Unwind_GetLanguageSpecificData)
NEVER(_Unwind_GetRegionStart)
NEVER(_Unwind_GetTextRelBase)
NEVER(_Unwind_GetDataRelBase)
NEVER(_Unwind_FindEnclosingFunction)
NEVER(_Unwind_GetCFA)
NEVER(_Unwind_GetGR)
NEVER(_Unwind_SetGR)
NEVER(_Unwind_GetIP)
NEVER(_Unwind_SetIP)
NEVER(_Unwind_GetIPInfo)
#ifdef __arm__
NEVER(_Unwind_VRS_Get)
NEVER(_Unwind_VRS_Set)
NEVER(__gnu_unwind_frame)
NEVER(__aeabi_unwind_cpp_pr0)
NEVER(__aeabi_unwind_cpp_pr1)
NEVER(__aeabi_unwind_cpp_pr2)
#endif

/*
 * A wall clock some years ahead, for a program under qemu-user: what it asks of the clock goes through the emulator's
 * own C library, into which this is loaded (LD_PRELOAD). CLOCK_AHEAD says by how many seconds. Only CLOCK_REALTIME is
 * ahead; time that passes is as it was.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at)
{
	const char *ahead = getenv("CLOCK_AHEAD");
	int result = (int)syscall(SYS_clock_gettime, id, at);

	if (result == 0 && id == CLOCK_REALTIME && ahead)
		at->tv_sec += atoll(ahead);
	return result;
}

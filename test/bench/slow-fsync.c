/* A disk whose every sync takes SLOW_FSYNC_MS longer, as an SD card does: gcc -shared -fPIC -o slow-fsync.so slow-fsync.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_ms(void) {
	const char *given = getenv("SLOW_FSYNC_MS");
	long ms = given ? atol(given) : 15;
	struct timespec span = { ms / 1000, (ms % 1000) * 1000000L };
	nanosleep(&span, NULL);
}

int fsync(int fd) {
	static int (*real)(int);
	if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	wait_ms();
	return real(fd);
}

int fdatasync(int fd) {
	static int (*real)(int);
	if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	wait_ms();
	return real(fd);
}

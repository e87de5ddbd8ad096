// A library to be loaded before the others (ld.so(8), LD_PRELOAD). It counts
// what the process does to the files below STEP_DIR through the functions below,
// and kills the process at the STEP-th such call: in the middle of a write, and
// before anything else.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int taken;

static int below(const char *path) {
	const char *dir = getenv("STEP_DIR");
	return dir && strncmp(path, dir, strlen(dir)) == 0;
}

static int due(const char *path) {
	const char *step = getenv("STEP");
	return step && below(path) && atomic_fetch_add(&taken, 1) + 1 == atoi(step);
}

static int due_fd(int fd) {
	char link[64], path[4096];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return 0;
	path[n] = 0;
	return due(path);
}

static void end(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define PWRITE(name, offset)                                      \
	ssize_t name(int fd, const void *b, size_t n, offset at) {    \
		if (due_fd(fd)) { REAL(name)(fd, b, n / 2, at); end(); }  \
		return REAL(name)(fd, b, n, at);                          \
	}
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *b, size_t n) {
	if (due_fd(fd)) { REAL(write)(fd, b, n / 2); end(); }
	return REAL(write)(fd, b, n);
}

#define ON_FD(name, ...)                        \
	int name(int fd __VA_OPT__(, __VA_ARGS__ n)) { \
		if (due_fd(fd)) end();                  \
		return REAL(name)(fd __VA_OPT__(, n));  \
	}
ON_FD(fsync)
ON_FD(fdatasync)
ON_FD(ftruncate, off_t)
ON_FD(ftruncate64, off64_t)

int unlink(const char *path) {
	if (due(path)) end();
	return REAL(unlink)(path);
}

int remove(const char *path) {
	if (due(path)) end();
	return REAL(remove)(path);
}

int rename(const char *from, const char *to) {
	if (due(from)) end();
	return REAL(rename)(from, to);
}

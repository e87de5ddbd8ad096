/*
 * arc4random, which glibc has since 2.36, out of the kernel's random numbers. The C++
 * library that is linked into the collector asks for it, and an older glibc, as that
 * of RHEL 9, would not start the program for want of it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

uint32_t arc4random(void)
{
	uint32_t n;
	ssize_t got;

	do
		got = getrandom(&n, sizeof n, 0);
	while (got < 0 && errno == EINTR);
	if (got != sizeof n)
		abort(); /* as glibc does: it has no way to say that there is none */
	return n;
}

/* SPDX-License-Identifier: MIT */
/*
 * The host's half of the zero-copy test: finds a guest's pattern in the aperture file of a device process and answers in place.
 *
 *   aperture_peek PID     exit 0: the 8 MiB pattern of `vgpu-guest-test zerocopy` was found, once, and answered
 *   aperture_peek PID --blocks     prints the bytes of host memory behind the file
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS (8u << 18)
#define PATTERN 0x5eed5eedu
#define ANSWER 0xfeedbeefu

static int open_aperture(const char *pid)
{
	char path[300], link[300];
	int found = -1;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && found < 0 && (entry = readdir(dir));) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		ssize_t bytes = readlink(path, link, sizeof(link) - 1);
		if (bytes <= 0)
			continue;
		link[bytes] = '\0';
		if (strstr(link, "memfd:vgpu-aperture"))
			found = open(path, O_RDWR | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return found;
}

int main(int argc, char **argv)
{
	struct stat facts;
	int fd = argc > 1 ? open_aperture(argv[1]) : -1;

	if (fd < 0 || fstat(fd, &facts)) {
		fprintf(stderr, "no aperture file found in process %s\n", argc > 1 ? argv[1] : "(none named)");
		return 2;
	}
	if (argc > 2 && !strcmp(argv[2], "--blocks")) {
		printf("%llu\n", (unsigned long long)facts.st_blocks * 512);
		return 0;
	}
	uint32_t *words = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 2;
	size_t count = (size_t)facts.st_size / 4;
	for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0;) {
		off_t end = lseek(fd, at, SEEK_HOLE);
		for (size_t i = (size_t)at / 4; i + WORDS <= count && i < (size_t)end / 4; i++) {
			if (words[i] != PATTERN || words[i + 1] != PATTERN + 1)
				continue;
			size_t matched = 0;
			while (matched < WORDS && words[i + matched] == PATTERN + (uint32_t)matched)
				matched++;
			if (matched < WORDS)
				continue;
			printf("found 8 MiB of the guest's words at offset %#zx of the aperture file\n", i * 4);
			words[i + WORDS - 1] = ANSWER;
			return 0;
		}
		at = lseek(fd, end, SEEK_DATA);
	}
	fprintf(stderr, "the guest's pattern is nowhere in the aperture\n");
	return 1;
}

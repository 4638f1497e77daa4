// SPDX-License-Identifier: GPL-2.0
/*
 * Read a file that the user named, images of guests above all. Nothing here knows what is
 * in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "umbra.h"

/**
 * file_read() - Read a file.
 * @path: its name
 * @size: set to its size
 *
 * Return: its contents, to be freed, or NULL after a message.
 */
u8 *file_read(const char *path, size_t *size)
{
	size_t done = 0;
	u8 *data = NULL;
	struct stat st;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	/* A larger file could not be loaded anyhow, debug information aside. */
	if (S_ISREG(st.st_mode) && st.st_size > 0 && (u64)st.st_size <= GIB(1))
		data = malloc(st.st_size);
	while (data && done < (size_t)st.st_size) {
		n = read(fd, data + done, st.st_size - done);
		if (n <= 0)
			break;
		done += n;
	}
	close(fd);
	*size = done;
	if (done && done == (size_t)st.st_size)
		return data;
	free(data);
	complain("%s: not a readable file of 1 byte to 1 GiB", path);
	return NULL;
}

/* A disk that is slow, stuck or broken, for a process that is started with this in LD_PRELOAD.

   Each fsync and fdatasync reads the file that SYNC_FAULT names, and does what its one line says:
       delay MILLISECONDS   is late
       hang                 is not done before the line has changed
       fail PART            fails with EIO, once, if the path of the file contains PART; the line is gone then
   Without that file all is well. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 128, PATH_BYTES = 4096, LOOK_AGAIN_MS = 5 };

static void pause_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

static void read_line(const char *path, char *line)
{
    line[0] = '\0';
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return;
    ssize_t size = read(fd, line, LINE_BYTES - 1);
    line[size > 0 ? size : 0] = '\0';
    close(fd);
}

static int is_of(int fd, const char *part)
{
    char link[64], path[PATH_BYTES];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    return strstr(path, part) != NULL;
}

/* Returns whether the call has to fail. */
static int disturb(int fd)
{
    const char *control = getenv("SYNC_FAULT");
    char line[LINE_BYTES];
    int kept = errno;
    read_line(control, line);
    if (strncmp(line, "delay ", 6) == 0)
        pause_ms(atol(line + 6));
    while (strcmp(line, "hang") == 0) {
        pause_ms(LOOK_AGAIN_MS);
        read_line(control, line);
    }
    errno = kept;
    return strncmp(line, "fail ", 5) == 0 && is_of(fd, line + 5) && unlink(control) == 0;
}

static int synced(const char *name, int fd)
{
    if (disturb(fd)) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fsync(int fd)
{
    return synced("fsync", fd);
}

int fdatasync(int fd)
{
    return synced("fdatasync", fd);
}

/* A file system that refuses single calls: FS_REFUSES="syncdir,sync,lock,cut,append,openrename,bind,chmod" with the error number in FS_ERRNO.
   Loaded before the C library (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuses(const char *call) {
  const char *list = getenv("FS_REFUSES");
  size_t length = strlen(call);
  for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (!strncmp(at, call, length) && (at[length] == ',' || !at[length])) {
      errno = atoi(getenv("FS_ERRNO"));
      return 1;
    }
  return 0;
}

static int is_folder(int fd) {
  struct stat facts;
  return !fstat(fd, &facts) && S_ISDIR(facts.st_mode);
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = dlsym(RTLD_NEXT, #name)

int fsync(int fd) { REAL(fsync); return refuses(is_folder(fd) ? "syncdir" : "sync") ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return refuses("sync") ? -1 : real(fd); }
int flock(int fd, int how) { REAL(flock); return refuses("lock") ? -1 : real(fd, how); }
int ftruncate(int fd, off_t length) { REAL(ftruncate); return refuses("cut") ? -1 : real(fd, length); }
int ftruncate64(int fd, off64_t length) { REAL(ftruncate64); return refuses("cut") ? -1 : real(fd, length); }
int chmod(const char *path, mode_t mode) { REAL(chmod); return refuses("chmod") ? -1 : real(path, mode); }
int bind(int fd, const struct sockaddr *address, socklen_t length) {
  REAL(bind);
  return address->sa_family == AF_UNIX && refuses("bind") ? -1 : real(fd, address, length);
}

static int opened(const char *path, int flags, mode_t mode) {
  static int (*real)(const char *, int, ...);
  if (!real) real = dlsym(RTLD_NEXT, "open64");
  const char *name = strrchr(path, '/');
  /* The log alone: logs of other kinds are not what a run depends on. */
  if (flags & O_APPEND && name && !strcmp(name, "/events.jsonl") && refuses("append")) return -1;
  return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened(path, flags, mode);
}
int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return opened(path, flags, mode);
}

/* As servers of Windows: no folder is renamed while a file in it is open. */
int rename(const char *from, const char *to) {
  REAL(rename);
  char whole[4096], name[4096], link[64];
  DIR *open = realpath(from, whole) ? opendir("/proc/self/fd") : NULL;
  for (struct dirent *entry; open && (entry = readdir(open));) {
    snprintf(link, sizeof link, "/proc/self/fd/%.20s", entry->d_name);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) continue;
    name[length] = 0;
    size_t inside = strlen(whole);
    if (!strncmp(name, whole, inside) && name[inside] == '/' && getenv("FS_REFUSES") && strstr(getenv("FS_REFUSES"), "openrename")) {
      closedir(open);
      errno = EACCES;
      return -1;
    }
  }
  if (open) closedir(open);
  return real(from, to);
}

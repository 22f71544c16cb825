/*
 * Sends each line of standard input as a message to the receiver of unix:PATH.
 *
 *   cc -O2 -o send-frames send-frames.c
 *   interproc receive unix:./lines &
 *   seq 5 | ./send-frames ./lines
 *
 * docs/protocol.md, "Frames": a length of 4 bytes, then the message; the length 0xFFFFFFFF is the end mark.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define END_MARK UINT32_C(0xffffffff)

static void put(uint8_t *at, uint32_t value) {
  for (int byte = 0; byte < 4; byte++) at[byte] = (uint8_t)(value >> (8 * byte));
}

/* Writes all of it: a socket may take a part only. */
static void write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = send(fd, bytes, length, MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) err(1, "send");
    bytes += written;
    length -= (size_t)written;
  }
}

/* The receiver may come later than we do. */
static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) errx(1, "the path is too long");
  strcpy(address.sun_path, path);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) err(1, "socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    if (errno != ENOENT && errno != ECONNREFUSED) err(1, "%s", path);
    close(fd);
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
  }
}

int main(int count, char **words) {
  if (count != 2) errx(2, "usage: send-frames PATH");
  int fd = connect_to(words[1]);
  char *line = NULL;
  size_t room = 0;
  for (ssize_t length = getline(&line, &room, stdin); length >= 0; length = getline(&line, &room, stdin)) {
    /* The length goes first and alone here; one writev(2) for both would be quicker. */
    uint8_t header[4];
    put(header, (uint32_t)length);
    write_all(fd, header, sizeof header);
    write_all(fd, (uint8_t *)line, (size_t)length);
  }
  free(line);
  uint8_t end[4];
  put(end, END_MARK);
  write_all(fd, end, sizeof end);
  close(fd);
  return 0;
}

/*
 * Receives the messages of shm:NAME and writes them to standard output.
 *
 *   cc -O2 -o read-ring read-ring.c
 *   seq 100000 | interproc send --lines shm:numbers &
 *   ./read-ring numbers
 *
 * docs/protocol.md, "The ring" and "shm:". To stay short, this peer only ever comes second: it connects to a sender
 * that waits, and tries again until there is one. Words that the sender writes are read once and checked, as they must be if it is a
 * stranger.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HELLO = 1, ACCEPT = 2, BUSY = 3, RING = 4, RECEIVER = 2 };
enum { WHOLE = 0, FIRST = 1, MORE = 2, LAST = 3, PAD = 4 };
/* Where the words of the header are, in units of 4 bytes. */
enum { MAGIC = 0, VERSION = 1, CAPACITY = 2, CONSUMER_PID = 4, JOINED = 5, TAIL = 32, HEAD = 64, CONSUMER_ASLEEP = 96 };
enum { PRODUCER_ASLEEP = 128, ENDED = 160, DATA = 1024 };

struct note {
  uint32_t magic, version, type, value, pid, unused[3];
};
#define NOTE_MAGIC 0x4d485349
#define RING_MAGIC 0x474e5249

static void tell(int fd, uint32_t type, uint32_t value) {
  struct note note = {NOTE_MAGIC, 1, type, value, (uint32_t)getpid(), {0}};
  if (send(fd, &note, sizeof note, MSG_NOSIGNAL) != sizeof note) err(1, "send");
}

/* Receives one message of the handshake and the descriptors that come with it; false if the peer hung up. */
static int hear(int fd, struct note *note, int descriptors[3], int *count) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(3 * sizeof(int))];
  } control;
  size_t filled = 0;
  *count = 0;
  while (filled < sizeof *note) {
    struct iovec part = {(char *)note + filled, sizeof *note - filled};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) err(1, "recvmsg");
    if (got == 0) return 0;
    filled += (size_t)got;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
      *count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      memcpy(descriptors, CMSG_DATA(header), (size_t)*count * sizeof(int));
    }
  }
  if (note->magic != NOTE_MAGIC || note->version != 1) errx(1, "the peer speaks another protocol");
  return 1;
}

/* Meets the sender: a connected socket, and the ring's memory, the bell that wakes us and the one that wakes it. */
static int meet(const char *name, int descriptors[3]) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "interproc.shm/%s", name);
  if (length >= (int)sizeof address.sun_path - 1) errx(1, "the name is too long");
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) err(1, "socket");
    struct note note;
    int count;
    if (connect(fd, (struct sockaddr *)&address, size) == 0) {
      tell(fd, HELLO, RECEIVER);
      if (hear(fd, &note, descriptors, &count)) {
        if (note.type == BUSY) errx(1, "process %u is the receiver already", note.pid);
        if (hear(fd, &note, descriptors, &count) && note.type == RING && count == 3) return fd;
      }
    } else if (errno != ECONNREFUSED) {
      err(1, "connect");
    }
    close(fd);
    nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
  }
}

struct ring {
  _Atomic uint32_t *word;
  uint8_t *data;
  uint32_t capacity, head;
  int bell, peers_bell, socket;
};

static void map(struct ring *ring, int memory) {
  struct stat status;
  if (fstat(memory, &status) != 0) err(1, "fstat");
  if ((fcntl(memory, F_GET_SEALS) & F_SEAL_SHRINK) == 0) errx(1, "the memory is not sealed against shrinking");
  if (status.st_size < DATA + 4096) errx(1, "the memory is too small for a ring");
  uint8_t *address = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (address == MAP_FAILED) err(1, "mmap");
  ring->word = (_Atomic uint32_t *)(void *)address;
  ring->data = address + DATA;
  ring->capacity = ring->word[CAPACITY];
  int power_of_two = (ring->capacity & (ring->capacity - 1)) == 0;
  if (ring->word[MAGIC] != RING_MAGIC || ring->word[VERSION] != 1) errx(1, "the memory holds no ring that we know");
  if (!power_of_two || (off_t)ring->capacity + DATA != status.st_size) errx(1, "the ring cannot be");
  if (atomic_fetch_or(&ring->word[JOINED], 2) & 2) errx(1, "the ring has a receiver already");
  ring->word[CONSUMER_PID] = (uint32_t)getpid();
  ring->head = ring->word[HEAD];
}

static void wake_producer(struct ring *ring, uint32_t tail) {
  uint32_t wanted = atomic_load(&ring->word[PRODUCER_ASLEEP]);
  if (wanted == 0 || ring->capacity - (tail - ring->head) < wanted) return;
  if (atomic_exchange(&ring->word[PRODUCER_ASLEEP], 0) == 0) return;
  const uint64_t one = 1;
  if (write(ring->peers_bell, &one, sizeof one) < 0 && errno != EAGAIN) err(1, "write to the bell");
}

/* Writes out every record up to tail, then gives the room back. */
static void drain(struct ring *ring, uint32_t tail) {
  if (tail - ring->head > ring->capacity || (tail & 7) != 0) errx(1, "the ring is corrupt");
  while (ring->head != tail) {
    uint32_t at = ring->head & (ring->capacity - 1);
    uint32_t word;
    memcpy(&word, ring->data + at, sizeof word);
    uint32_t length = word & 0x0fffffff, kind = word >> 28, size = 8 + ((length + 7) & ~7u);
    if (size > tail - ring->head || at + size > ring->capacity) errx(1, "a record is corrupt");
    uint32_t skip = kind == FIRST ? 8 : 0; /* the length of the whole message, which a stream does not need */
    if (kind > PAD || length < skip) errx(1, "a record is corrupt");
    if (kind != PAD) fwrite(ring->data + at + 8 + skip, 1, length - skip, stdout);
    ring->head += size;
  }
  atomic_store(&ring->word[HEAD], ring->head);
  wake_producer(ring, tail);
}

/* Sleeps until the sender rings; 0 if it is gone. */
static int sleep_until_rung(const struct ring *ring) {
  struct pollfd bells[2] = {{ring->bell, POLLIN, 0}, {ring->socket, POLLRDHUP, 0}};
  if (poll(bells, 2, -1) < 0 && errno != EINTR) err(1, "poll");
  uint64_t rung;
  if ((bells[0].revents & POLLIN) != 0 && read(ring->bell, &rung, sizeof rung) < 0 && errno != EAGAIN) err(1, "read");
  return bells[1].revents == 0;
}

int main(int count, char **words) {
  if (count != 2) errx(2, "usage: read-ring NAME");
  int descriptors[3];
  struct ring ring = {.socket = meet(words[1], descriptors)};
  ring.bell = descriptors[1];
  ring.peers_bell = descriptors[2];
  map(&ring, descriptors[0]);
  for (int alive = 1;;) {
    uint32_t ended = atomic_load(&ring.word[ENDED]); /* before tail: what is published before the end is seen then */
    uint32_t tail = atomic_load(&ring.word[TAIL]);
    if (tail != ring.head) {
      drain(&ring, tail);
      continue;
    }
    if (ended) return fflush(stdout) == 0 ? 0 : 1;
    if (!alive) errx(1, "the sender ended without closing the channel");
    atomic_store(&ring.word[CONSUMER_ASLEEP], 1);
    if (atomic_load(&ring.word[TAIL]) == ring.head && atomic_load(&ring.word[ENDED]) == 0) alive = sleep_until_rung(&ring);
    atomic_store(&ring.word[CONSUMER_ASLEEP], 0);
  }
}

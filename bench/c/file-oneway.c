/*
 * One way through a file on disk: the sender appends, one write for each message, the receiver follows by reading
 * again until more has come. --durable 1: fdatasync after each message.
 */
#include "common.h"
#include <immintrin.h>

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 1000000);
  bool durable = option_number(argc, argv, "--durable", 0) != 0;
  const char *directory = option(argc, argv, "--directory", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
  char path[512];
  snprintf(path, sizeof path, "%s/bench-%d.log", directory, getpid());
  int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  int in = open(path, O_RDONLY | O_CLOEXEC);
  unlink(path);
  if (out < 0 || in < 0) die("open");

  pid_t sender = fork_sender();
  if (sender == 0) {
    stock messages = stock_create(w.size);
    for (uint64_t n = 0; n < w.total; n++) {
      if (write(out, stock_message(&messages, n), w.size) != (ssize_t)w.size) die("write");
      if (durable && fdatasync(out) < 0) die("fdatasync");
      stock_renew(&messages, n);
    }
    return 0;
  }
  uint8_t *message = private_memory(w.size);
  check seen = {0};
  uint64_t start = now_ns();
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = now_ns();
    for (uint32_t done = 0; done < w.size;) {
      ssize_t got = read(in, message + done, w.size - done);
      if (got < 0) die("read");
      if (got == 0) _mm_pause();
      done += (uint32_t)got;
    }
    check_message(&seen, (uint32_t *)message, w.size);
  }
  uint64_t end = now_ns();
  bool ok = join(sender);
  return report_one_way(w, start, end, ok && check_passed(&seen, w.size, w.total));
}

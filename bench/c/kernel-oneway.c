/*
 * One way through a buffer of the kernel, one message per system call, blocking on both sides.
 *   --mechanism pipe|fifo|unix|unixgram|unixpacket|mq|msgq
 *   --capacity B   asks for a pipe or FIFO of B bytes (default: what the kernel gives)
 */
#include "kernel.h"

int main(int argc, char **argv) {
  mechanism kind = mechanism_of(option(argc, argv, "--mechanism", "pipe"));
  work w = read_work(argc, argv, 1000000);
  int capacity = (int)option_number(argc, argv, "--capacity", 0);
  kernel_way way = kernel_way_create(kind, w.size, 0);

  pid_t sender = fork_sender();
  if (sender == 0) {
    int fd = kernel_open_writer(&way);
    stock messages = stock_create(w.size);
    for (uint64_t n = 0; n < w.total; n++) {
      kernel_send(kind, fd, stock_message(&messages, n), w.size);
      stock_renew(&messages, n);
    }
    return 0;
  }
  int fd = kernel_open_reader(&way);
  if (capacity != 0 && fcntl(fd, F_SETPIPE_SZ, capacity) < 0) die("F_SETPIPE_SZ");
  uint32_t *message = private_memory(w.size);
  check seen = {0};
  uint64_t start = now_ns();
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = now_ns();
    kernel_receive(kind, fd, (uint8_t *)message, w.size);
    check_message(&seen, message, w.size);
  }
  uint64_t end = now_ns();
  bool ok = join(sender);
  kernel_way_end(&way);
  return report_one_way(w, start, end, ok && check_passed(&seen, w.size, w.total));
}

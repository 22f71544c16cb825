/*
 * Round trips through two buffers of the kernel, both sides blocking in the system call.
 *   --mechanism pipe|fifo|unix|unixgram|unixpacket|mq|msgq
 */
#include "kernel.h"

int main(int argc, char **argv) {
  mechanism kind = mechanism_of(option(argc, argv, "--mechanism", "pipe"));
  work w = read_work(argc, argv, 50000);
  kernel_way there = kernel_way_create(kind, w.size, 0), back = kernel_way_create(kind, w.size, 1);

  pid_t child = fork_sender();
  if (child == 0) {
    int in = kernel_open_reader(&there), out = kernel_open_writer(&back);
    uint8_t *message = private_memory(w.size);
    for (uint64_t n = 0; n < w.total; n++) {
      kernel_receive(kind, in, message, w.size);
      kernel_send(kind, out, message, w.size);
    }
    return 0;
  }
  int out = kernel_open_writer(&there), in = kernel_open_reader(&back);
  stock messages = stock_create(w.size);
  uint32_t *message = private_memory(w.size);
  uint32_t *samples = private_memory(w.count * sizeof *samples);
  check seen = {0};
  uint64_t start = 0, last = 0;
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = last = now_ns();
    kernel_send(kind, out, stock_message(&messages, n), w.size);
    stock_renew(&messages, n);
    kernel_receive(kind, in, (uint8_t *)message, w.size);
    check_message(&seen, message, w.size);
    if (n >= w.warmup) {
      uint64_t t = now_ns();
      samples[n - w.warmup] = (uint32_t)(t - last);
      last = t;
    }
  }
  bool ok = join(child);
  kernel_way_end(&there);
  kernel_way_end(&back);
  return report_round_trips(w, samples, w.count, 1, start, last, ok && check_passed(&seen, w.size, w.total));
}

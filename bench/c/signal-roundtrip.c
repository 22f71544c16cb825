/*
 * Round trips by real-time signals that carry a value: sigqueue(3) there and back, sigwaitinfo(2) on both sides.
 */
#include "common.h"

static void tell(pid_t to, uint32_t value) {
  while (sigqueue(to, SIGRTMIN, (union sigval){.sival_int = (int)value}) < 0)
    if (errno != EAGAIN) die("sigqueue");
}

static uint32_t hear(const sigset_t *set) {
  siginfo_t info;
  while (sigwaitinfo(set, &info) < 0)
    if (errno != EINTR) die("sigwaitinfo");
  return (uint32_t)info.si_value.sival_int;
}

int main(int argc, char **argv) {
  work w = read_work(argc, argv, 50000);
  w.size = 4; /* what a signal carries */
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);

  pid_t child = fork_sender();
  if (child == 0) {
    for (uint64_t n = 0; n < w.total; n++) tell(getppid(), hear(&set));
    return 0;
  }
  uint32_t *samples = private_memory(w.count * sizeof *samples), wrong = 0;
  uint64_t start = 0, last = 0;
  for (uint64_t n = 0; n < w.total; n++) {
    if (n == w.warmup) start = last = now_ns();
    tell(child, (uint32_t)n);
    wrong |= hear(&set) ^ (uint32_t)n;
    if (n >= w.warmup) {
      uint64_t t = now_ns();
      samples[n - w.warmup] = (uint32_t)(t - last);
      last = t;
    }
  }
  bool ok = join(child);
  return report_round_trips(w, samples, w.count, 1, start, last, ok && wrong == 0);
}

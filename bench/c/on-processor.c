/* on-processor N COMMAND...: runs COMMAND, and all it starts, on processor N alone. */
#include "common.h"
#include <sched.h>

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: on-processor N COMMAND...\n");
    return 2;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(atoi(argv[1]), &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) die("sched_setaffinity");
  execvp(argv[2], argv + 2);
  die(argv[2]);
}

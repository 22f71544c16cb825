/* Terminals: posix_openpt(3), the foreground group (tcgetpgrp(3)), and the size of the window (ioctl_tty(2)). */
#include "interproc.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ptyOpen(): the master, whose slave can be opened. */
static napi_value pty_open(napi_env env, napi_callback_info info) {
  (void)info;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return ip_result(env, -errno);
  if (grantpt(master) < 0 || unlockpt(master) < 0) {
    int failed = errno;
    close(master);
    return ip_result(env, -failed);
  }
  return ip_descriptor(env, master);
}

/* ptyNumber(master): N of /dev/pts/N. */
static napi_value pty_number(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  unsigned number;
  if (ioctl(ip_int32(env, args[0]), TIOCGPTN, &number) < 0) return ip_result(env, -errno);
  return ip_result(env, number);
}

static napi_value terminal_tcgetpgrp(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(1);
  return ip_answer(env, tcgetpgrp(ip_int32(env, args[0])));
}

/* tcsetpgrp(fd, group). A process in the background gets SIGTTOU for that, which would stop it, unless the thread
   that asks has it blocked: so it is, around this one call. */
static napi_value terminal_tcsetpgrp(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  sigset_t only, before;
  sigemptyset(&only);
  sigaddset(&only, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &only, &before);
  int answer = tcsetpgrp(ip_int32(env, args[0]), ip_int32(env, args[1])) < 0 ? -errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return ip_result(env, answer);
}

/* terminalSize(fd, [columns, rows]). */
static napi_value terminal_size(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(2);
  int32_t *size = ip_array(env, args[1], napi_int32_array, 2, NULL);
  if (size == NULL) return ip_result(env, -EFAULT);
  struct winsize found;
  if (ioctl(ip_int32(env, args[0]), TIOCGWINSZ, &found) < 0) return ip_result(env, -errno);
  size[0] = found.ws_col;
  size[1] = found.ws_row;
  return ip_result(env, 0);
}

static napi_value terminal_resize(napi_env env, napi_callback_info info) {
  IP_ARGUMENTS(3);
  struct winsize wanted = {.ws_col = (unsigned short)ip_uint32(env, args[1]),
                           .ws_row = (unsigned short)ip_uint32(env, args[2])};
  return ip_answer(env, ioctl(ip_int32(env, args[0]), TIOCSWINSZ, &wanted));
}

const ip_function ip_terminal_functions[] = {{"ptyOpen", pty_open},
                                             {"ptyNumber", pty_number},
                                             {"tcgetpgrp", terminal_tcgetpgrp},
                                             {"tcsetpgrp", terminal_tcsetpgrp},
                                             {"terminalSize", terminal_size},
                                             {"terminalResize", terminal_resize},
                                             {NULL, NULL}};

/*
 * What the kernel counts of a child's reading and writing: /proc/PID/io, see proc_pid_io(5).
 *
 * Only root may open it once the child has ended, but who has it open may read it until the child is waited for. And a child can end
 * before its parent comes to open it. So the child opens its own before it executes its program, and sends it over.
 */
#include "interproc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
} ancillary;

/* In the child, between clone and execve: system calls only. Without /proc nothing is sent. */
void ip_accounts_send(int socket) {
  int accounts = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  if (accounts < 0) return;
  char one = 0;
  struct iovec part = {.iov_base = &one, .iov_len = 1};
  ancillary extra;
  memset(&extra, 0, sizeof extra);
  extra.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof accounts), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(&extra.header), &accounts, sizeof accounts);
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = extra.bytes, .msg_controllen = CMSG_LEN(sizeof accounts)};
  ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  (void)sent; /* then there is none to receive */
  close(accounts);
}

/* In the parent: the descriptor, close-on-exec, or -1. */
int ip_accounts_receive(int socket) {
  char one;
  struct iovec part = {.iov_base = &one, .iov_len = 1};
  ancillary extra;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = extra.bytes, .msg_controllen = CMSG_LEN(sizeof(int))};
  if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) return -1;
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  int accounts = -1;
  if (header != NULL && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof accounts)) {
    memcpy(&accounts, CMSG_DATA(header), sizeof accounts);
  }
  return accounts;
}

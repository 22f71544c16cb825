/*
 * The few functions of libuv that the addon calls. `node-api-headers` brings no uv.h, and these
 * have kept their form through all of libuv 1.x; handles stay opaque, their size is asked for at
 * run time. Weak, so that the addon also loads where a runtime does not export them.
 */
#ifndef INTERPROC_UV_ABI_H
#define INTERPROC_UV_ABI_H

#include <node_api.h>
#include <stddef.h>

typedef struct uv_handle_s uv_handle_t;

#define UV_POLL_TYPE 8 /* UV_POLL in uv.h's UV_HANDLE_TYPE_MAP */
#define UV_SIGNAL_TYPE 16 /* UV_SIGNAL there */
#define UV_READABLE_EVENT 1

#define UV_WEAK __attribute__((weak))
UV_WEAK size_t uv_handle_size(int type);
UV_WEAK int uv_poll_init(struct uv_loop_s *loop, uv_handle_t *handle, int fd);
UV_WEAK int uv_poll_start(uv_handle_t *handle, int events,
                          void (*callback)(uv_handle_t *handle, int status, int events));
UV_WEAK int uv_poll_stop(uv_handle_t *handle);
UV_WEAK int uv_signal_init(struct uv_loop_s *loop, uv_handle_t *handle);
UV_WEAK int uv_signal_start(uv_handle_t *handle, void (*callback)(uv_handle_t *handle, int signal), int signal);
UV_WEAK int uv_signal_stop(uv_handle_t *handle);
UV_WEAK void uv_close(uv_handle_t *handle, void (*closed)(uv_handle_t *handle));
UV_WEAK void uv_ref(uv_handle_t *handle);
UV_WEAK void uv_unref(uv_handle_t *handle);
UV_WEAK void *uv_handle_get_data(const uv_handle_t *handle);
UV_WEAK void uv_handle_set_data(uv_handle_t *handle, void *data);

#endif

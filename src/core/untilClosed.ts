/** Loops over what comes to a handle. */

/**
 * What `next` gives, one after the other, until it gives `null` or the handle is closed, be it in the middle of a wait. Leaving the loop
 * leaves the handle open.
 */
export async function* untilClosed<T>(
  handle: { readonly closed: boolean },
  next: () => Promise<T | null>,
): AsyncGenerator<T, void, undefined> {
  while (!handle.closed) {
    let value: T | null;
    try {
      value = await next();
    } catch (why) {
      if (handle.closed) return;
      throw why;
    }
    if (value === null) return;
    yield value;
  }
}

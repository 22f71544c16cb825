/** Names that the kernel does not forget with their process, given back when it exits without having closed. */
const actions = new Set<() => void>();

function runAll(): void {
  for (const action of actions) {
    try {
      action();
    } catch {
      // Nobody is left to hear of it, and the others have their turn.
    }
  }
}

/** Calls `action` when this process or worker exits; the returned function takes that back. A signal that kills calls nothing. */
export function atExit(action: () => void): () => void {
  if (actions.size === 0) process.on('exit', runAll);
  actions.add(action);
  return () => {
    if (actions.delete(action) && actions.size === 0) process.off('exit', runAll);
  };
}

// The sources as the compiler sees them, for the checks: syntax trees, symbols and what their docstrings say.
import { relative, resolve, sep } from 'node:path';
import { API } from 'typescript/unstable/sync';

/**
 * Opens the project of a folder.
 * @param {string} folder that has a tsconfig.json
 * @returns the checker, the source files below src/, and `at`, which names a place as `src/a.ts:12`
 */
export function openProgram(folder) {
  const base = resolve(folder);
  const api = new API({ cwd: base });
  const config = resolve(base, 'tsconfig.json');
  const { program, checker } = api.updateSnapshot({ openProjects: [config] }).getProject(config);

  const files = program
    .getSourceFileNames()
    .filter((name) => name.startsWith(base + sep) && relative(base, name).startsWith(`src${sep}`))
    .map((name) => ({ name: relative(base, name), tree: program.getSourceFile(name) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

  const at = (file, node) => `${file.name}:${file.tree.text.slice(0, node.getStart(file.tree)).split('\n').length}`;
  return { base, program, checker, files, at, close: () => api.close() };
}

/** Calls `visit` for a node and everything below it; `visit` returns false to go no deeper. */
export function walk(node, visit) {
  if (visit(node) === false) return;
  node.forEachChild((child) => {
    walk(child, visit);
  });
}

/** Prints what a check found and sets the exit code. */
export function report(name, faults) {
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(faults.length === 0 ? `${name}: good\n` : `${name}: ${faults.length} found\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

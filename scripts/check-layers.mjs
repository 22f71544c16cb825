// Dependencies point one way: native <- sys <- core <- families <- channel <- cli, inspector; inventory sits on core.
//
// Besides, in src/:
// - a family is reached from outside through its index.ts only, and families do not depend on each other in a circle
// - only src/sys may load the addon, so only there is node-gyp-build imported
// - no other package is imported, except those that are named below for src/cli, which are bundled with it, and for a family
// - modules of Node are named with `node:`, and node:process is not imported, only used as the global: an import of it
//   evaluates process.stdin, which makes standard input non-blocking
// - nothing is awaited at the top of a module, so that require() works
//
//   node scripts/check-layers.mjs [FOLDER]
import { dirname, join, normalize, sep } from 'node:path';
import { SyntaxKind } from 'typescript/unstable/ast';
import { openProgram, report, walk } from './lib/program.mjs';
import { root } from './lib/setup.mjs';

/** The folders of src/ that are not families, and what each may import besides itself. */
const BELOW = {
  sys: [],
  core: ['sys'],
  inventory: ['sys', 'core'],
  channel: ['sys', 'core', 'families'],
  inspector: ['sys', 'core', 'families', 'channel', 'inventory'],
  cli: ['sys', 'core', 'families', 'channel', 'inventory', 'inspector', 'the root'],
  'the root': ['core', 'families', 'channel', 'inventory'],
};
const BELOW_A_FAMILY = ['sys', 'core', 'families'];
const WITH_ONE_FACE = ['channel', 'inventory', 'inspector'];

const FUNCTIONS = [
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
  SyntaxKind.ClassStaticBlockDeclaration,
];

const folderOf = (file) => {
  const parts = file.split(sep);
  return parts.length > 2 ? parts[1] : 'the root';
};
const isFamily = (folder) => !(folder in BELOW);

/** Every module that a file names: import, export from, import(), import type and import('…').Type. */
function importsOf({ tree }) {
  const found = [];
  walk(tree, (node) => {
    const { kind } = node;
    let named;
    if (kind === SyntaxKind.ImportDeclaration || kind === SyntaxKind.ExportDeclaration) named = node.moduleSpecifier;
    else if (kind === SyntaxKind.ImportType) named = node.argument.literal;
    else if (kind === SyntaxKind.CallExpression && isImportCall(node)) named = node.arguments[0];
    if (named) found.push({ node, module: named.kind === SyntaxKind.StringLiteral ? named.text : undefined });
  });
  return found;
}

function isImportCall({ expression }) {
  return (
    expression.kind === SyntaxKind.ImportKeyword ||
    (expression.kind === SyntaxKind.Identifier && expression.text === 'require')
  );
}

function topLevelAwaits({ tree }) {
  const found = [];
  walk(tree, (node) => {
    if (FUNCTIONS.includes(node.kind)) return false;
    if (node.kind === SyntaxKind.AwaitExpression || node.awaitModifier) found.push(node);
    return true;
  });
  return found;
}

/** What is wrong with one file that imports another file of src/, or undefined. */
function faultOfInnerImport(from, to) {
  const source = folderOf(from);
  const target = folderOf(to);
  if (!to.startsWith(`src${sep}`)) return `${to} is outside src/`;
  if (source === target) return undefined;

  const allowed = isFamily(source) ? BELOW_A_FAMILY : BELOW[source];
  if (!allowed.includes(isFamily(target) ? 'families' : target)) return `${source} may not depend on ${target}`;
  if ((isFamily(target) || WITH_ONE_FACE.includes(target)) && to !== join('src', target, 'index.ts')) {
    return `${target} is reached through its index.ts only`;
  }
  return undefined;
}

/** Packages, each with the folder that may use it. */
const PACKAGES = { commander: 'cli', 'cli-table3': 'cli', 'cli-progress': 'cli', unbash: 'pipe' };

function faultOfPackage(from, name) {
  if (name === 'node-gyp-build') return folderOf(from) === 'sys' ? undefined : 'only src/sys loads the addon';
  const owner = PACKAGES[name];
  if (owner === undefined) return `the package ${name} is not one that src/ may use`;
  return folderOf(from) === owner ? undefined : `the package ${name} is for src/${owner} only`;
}

/** A circle among families, as the names along it, or undefined. */
function circle(edges) {
  const done = new Set();
  const visit = (family, path) => {
    if (path.includes(family)) return [...path.slice(path.indexOf(family)), family];
    if (done.has(family)) return undefined;
    done.add(family);
    for (const next of edges.get(family) ?? []) {
      const found = visit(next, [...path, family]);
      if (found) return found;
    }
    return undefined;
  };
  for (const family of edges.keys()) {
    const found = visit(family, []);
    if (found) return found;
  }
  return undefined;
}

const { files, at, close } = openProgram(process.argv[2] ?? root);
const faults = [];
const families = new Map();

for (const file of files) {
  for (const node of topLevelAwaits(file)) faults.push(`${at(file, node)}: await at the top of a module`);
  for (const { node, module } of importsOf(file)) {
    const say = (fault) => fault && faults.push(`${at(file, node)}: ${fault}`);
    if (module === undefined) say('what is imported is computed, so its layer cannot be checked');
    else if (module === 'node:process') say('an import of node:process opens standard input: use the global');
    else if (module.startsWith('node:')) continue;
    else if (module.startsWith('.')) {
      const to = normalize(join(dirname(file.name), module)).replace(/\.js$/, '.ts');
      say(faultOfInnerImport(file.name, to));
      const [source, target] = [folderOf(file.name), folderOf(to)];
      if (isFamily(source) && isFamily(target) && source !== target) {
        families.set(source, (families.get(source) ?? new Set()).add(target));
      }
    } else {
      const name = module.split('/', module.startsWith('@') ? 2 : 1).join('/');
      say(faultOfPackage(file.name, name));
    }
  }
}
const found = circle(families);
if (found) faults.push(`families depend on each other in a circle: ${found.join(' -> ')}`);

close();
report('layers', faults);

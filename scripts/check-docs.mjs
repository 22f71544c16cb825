// What others use has a docstring: the exports of src/index.ts, of each family's index.ts and of every file of src/core,
// and for what users see also the public methods and accessors of classes and interfaces. A property or constant may
// share the docstring above it, of its neighbour or of its type, as long as no blank line is between.
//
//   node scripts/check-docs.mjs [FOLDER]
import { SymbolFlags } from 'typescript/unstable/sync';
import { SyntaxKind } from 'typescript/unstable/ast';
import { openProgram, report } from './lib/program.mjs';
import { root } from './lib/setup.mjs';

const FOR_USERS = /^src\/((?!sys\/|core\/)\w+\/)?index\.ts$/;
const FOR_US = /^src\/core\/.*\.ts$/;
const WITH_MEMBERS = [SyntaxKind.ClassDeclaration, SyntaxKind.InterfaceDeclaration];
const PROPERTIES = [SyntaxKind.PropertyDeclaration, SyntaxKind.PropertySignature];
const HIDDEN = [SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword, SyntaxKind.OverrideKeyword];

const { checker, files, at, close } = openProgram(process.argv[2] ?? root);
const fileOf = new Map(files.map((file) => [file.tree.path ?? file.tree.fileName, file]));
const faults = new Set();
const seen = new Set();

const documented = (symbol) =>
  symbol.getDocumentationComment(checker).trim() !== '' || symbol.getJsDocTags(checker).length > 0;

/** Where a symbol is declared in src/, or undefined for one that comes from elsewhere. */
function declarationOf(symbol) {
  const handle = symbol.declarations[0];
  const file = handle && fileOf.get(handle.path);
  return file && { file, node: handle.resolve() };
}

const hasDocstring = ({ tree }, node) => leading(tree, node).includes('/**');
const followsBlankLine = ({ tree }, node) => /\n\s*\n/.test(leading(tree, node));
const leading = (tree, node) => tree.text.slice(node.pos, node.getStart(tree));

/** Whether a node stands in a row of its kind, without a blank line, that begins with a docstring. */
function sharesDocstring(file, row, node, beforeTheRow) {
  let index = row.findIndex((other) => other.pos === node.pos);
  for (; index >= 0 && row[index].kind === node.kind; index -= 1) {
    if (hasDocstring(file, row[index])) return true;
    if (followsBlankLine(file, row[index])) return false;
  }
  return index < 0 && beforeTheRow;
}

/** Whether a constant is one of a documented row of constants. */
function isInDocumentedRow({ file, node }) {
  let statement = node;
  while (statement && statement.kind !== SyntaxKind.VariableStatement) statement = statement.parent;
  return statement !== undefined && sharesDocstring(file, file.tree.statements, statement, false);
}

/** The names of members that a base class or an interface has already described. */
function inheritedNames({ node }) {
  const names = new Set();
  for (const clause of node.heritageClauses ?? []) {
    for (const type of clause.types) {
      for (const property of checker.getPropertiesOfType(checker.getTypeAtLocation(type))) names.add(property.name);
    }
  }
  return names;
}

function checkMembers(owner, { file, node }) {
  const inherited = inheritedNames({ node });
  for (const member of node.members) {
    const name = member.name;
    if (!name || name.kind === SyntaxKind.PrivateIdentifier || name.kind === SyntaxKind.ComputedPropertyName) continue;
    if (member.modifiers?.some(({ kind }) => HIDDEN.includes(kind)) || inherited.has(name.text)) continue;
    if (PROPERTIES.includes(member.kind) && sharesDocstring(file, node.members, member, hasDocstring(file, node)))
      continue;
    const symbol = checker.getSymbolAtLocation(name);
    if (symbol && !documented(symbol)) faults.add(`${at(file, member)}: ${owner}.${name.text} has no docstring`);
  }
}

function checkFiles(which, withMembers) {
  for (const { name, tree } of files) {
    const module = which.test(name) && checker.getSymbolAtLocation(tree);
    if (module) checkExports(module, withMembers);
  }
}

function checkExports(module, withMembers) {
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    if (seen.has(symbol.id)) continue;
    seen.add(symbol.id);
    if (symbol.flags & SymbolFlags.ValueModule) {
      checkExports(symbol, withMembers);
      continue;
    }
    const place = declarationOf(symbol);
    if (!place) continue;
    if (!documented(symbol) && !documented(exported) && !isInDocumentedRow(place)) {
      faults.add(`${at(place.file, place.node)}: ${symbol.name} has no docstring`);
    }
    if (withMembers && WITH_MEMBERS.includes(place.node.kind)) checkMembers(symbol.name, place);
  }
}

checkFiles(FOR_USERS, true);
checkFiles(FOR_US, false);

close();
report('docstrings', [...faults].sort());

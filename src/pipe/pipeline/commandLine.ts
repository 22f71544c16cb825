/**
 * What a line says: words, quotes, `|`, `|&` and redirections, as sh(1) and bash(1) read them. No shell is started, so whatever
 * else one would do is refused, with the place where it stands.
 *
 * The parser knows all of bash, so what is refused is known for what it is and never taken for a word. It is loaded with the
 * first line: most programs never need it.
 */
import { createRequire } from 'node:module';
import type { AndOr, Command, PipelineNode, Redirection, Statement, Word, WordPart } from 'unbash';
import { argumentError } from '../../core/errors.js';

/** What one redirection of a stage does to a descriptor of it. */
export type Redirect =
  | { readonly fd: number; readonly open: 'read' | 'write' | 'append'; readonly path: string }
  | { readonly fd: number; readonly like: number };

/** One stage: the words of its command, and its redirections in the order in which they take effect. */
export interface StageCommand {
  readonly argv: readonly string[];
  readonly redirects: readonly Redirect[];
}

/** What is refused, by the name of its node in the tree, in words. */
const KINDS: Record<string, string> = {
  Glob: 'a pattern of file names',
  ExtendedGlob: 'a pattern of file names',
  BraceExpansion: 'a brace expansion',
  SimpleExpansion: 'a variable',
  ParameterExpansion: 'a variable',
  CommandExpansion: 'a command substitution',
  ArithmeticExpansion: 'arithmetic',
  ProcessSubstitution: 'a process substitution',
  LocaleString: 'a translated string',
  Assignment: 'an assignment',
  HereDoc: 'a here-document',
  HereString: 'a here-string',
  Negation: 'a negation',
  Time: 'the keyword time',
  Subshell: 'a subshell',
  BraceGroup: 'a group of commands',
  Function: 'a function',
};
const WAYS: Partial<Record<Redirection['operator'], 'read' | 'write' | 'append'>> = {
  '<': 'read',
  '>': 'write',
  '>>': 'append',
};
const MOST_FD = 0x7fff_fffe;

function leadingSpace(line: string, from: number): number {
  return line.slice(from).search(/\S|$/);
}

/** What the line has at a place, and that it cannot be. */
function refuse(line: string, from: number, to: number, what: string, instead?: string): never {
  const at = from + leadingSpace(line, from);
  const there = line.slice(at, Math.max(to, at + 1)).trim();
  const shown =
    there === '' ? 'the end of the line' : JSON.stringify(there.length > 40 ? `${there.slice(0, 40)}…` : there);
  const why = argumentError(`${shown} at position ${at}: ${what}${instead === undefined ? '' : `; ${instead}`}`);
  throw Object.assign(why, { position: at });
}

const WITH_A_SHELL = "no shell is started: run sh -c '…' as a stage for what only a shell does";

function refuseNode(line: string, node: { type: string; pos: number; end: number }): never {
  return refuse(line, node.pos, node.end, `${KINDS[node.type] ?? 'a command of the shell'} cannot be`, WITH_A_SHELL);
}

function checkPart(line: string, part: WordPart): void {
  if (part.type === 'Literal' || part.type === 'SingleQuoted' || part.type === 'AnsiCQuoted') return;
  if (part.type !== 'DoubleQuoted') refuseNode(line, part);
  for (const inner of part.parts) checkPart(line, inner);
}

/** The word without its quotes. */
function textOf(line: string, word: Word): string {
  for (const part of word.parts ?? []) checkPart(line, part);
  if (word.text.startsWith('~')) {
    refuse(line, word.pos, word.end, 'a home folder cannot be', `quote the ~ if it is meant; ${WITH_A_SHELL}`);
  }
  return word.value;
}

function redirectOf(line: string, redirection: Redirection): Redirect {
  if (redirection.type !== 'Redirect') refuseNode(line, redirection);
  const { operator, descriptor, target, pos, end } = redirection;
  if (target === undefined) refuse(line, pos, end, 'a redirection needs a file or a descriptor');
  const other = 'a redirection that is not one of < > >> n>&m';
  if (descriptor !== undefined && descriptor.type !== 'FileDescriptor') refuse(line, pos, end, other);
  const word = textOf(line, target);
  const way = WAYS[operator];
  const fd = descriptor?.value ?? (operator === '<' || operator === '<&' ? 0 : 1);
  if (fd > MOST_FD) refuse(line, pos, end, 'no descriptor has such a number');
  if (way !== undefined) {
    if (word === '') refuse(line, target.pos, target.end, 'an empty name is no file');
    return { fd, open: way, path: word };
  }
  if ((operator === '>&' || operator === '<&') && /^\d{1,9}$/.test(word)) return { fd, like: Number(word) };
  return refuse(line, pos, end, other, WITH_A_SHELL);
}

function stageOf(line: string, command: Command): StageCommand {
  const argv: string[] = [];
  const redirects: Redirect[] = [];
  for (const item of [...command.prefix, ...(command.name === undefined ? [] : [command.name]), ...command.suffix]) {
    if (item.type === 'Word') argv.push(textOf(line, item));
    else if (item.type === 'Assignment') refuseNode(line, item);
    else redirects.push(redirectOf(line, item));
  }
  if (argv.length === 0) refuse(line, command.pos, command.end, 'a stage needs a command');
  if (argv[0] === '') refuse(line, command.pos, command.end, 'an empty name is no command');
  return { argv, redirects };
}

/** Throws for a comment, which the tree leaves out, between two nodes. */
function checkBetween(line: string, from: number, to: number): void {
  const at = line.slice(from, to).indexOf('#');
  if (at >= 0) refuse(line, from + at, to, 'a comment cannot be', 'quote the # if it is meant');
}

function stagesOf(line: string, node: PipelineNode | AndOr): StageCommand[] {
  if (node.type === 'Command') return [stageOf(line, node)];
  if (node.type === 'AndOr') {
    const [first, second] = node.commands;
    const from = first?.end ?? node.pos;
    return refuse(line, from, second?.pos ?? node.end, 'a list of commands cannot be', WITH_A_SHELL);
  }
  if (node.type !== 'Pipeline') return refuseNode(line, node);
  const [prefix] = node.prefixes;
  if (prefix !== undefined) refuseNode(line, prefix);
  let end = node.pos;
  return node.commands.map((command, index) => {
    checkBetween(line, end, command.pos);
    end = command.end;
    if (command.type !== 'Command') refuseNode(line, command);
    const stage = stageOf(line, command);
    // As bash has it, after the redirections that are written out.
    return node.operators[index] === '|&' ? { ...stage, redirects: [...stage.redirects, { fd: 2, like: 1 }] } : stage;
  });
}

/** What follows the only statement: nothing may. */
function checkRest(line: string, statement: Statement): void {
  const { end } = statement.command;
  const at = end + leadingSpace(line, end);
  if (at === line.length) return;
  if (line[at] === '#') checkBetween(line, at, line.length);
  if (line[at] === '&')
    refuse(line, at, at + 1, 'a command in the background cannot be', 'a pipeline runs beside this program anyway');
  refuse(line, at, at + 1, 'a list of commands cannot be', WITH_A_SHELL);
}

let parse: typeof import('unbash').parse | undefined;

/**
 * The stages of a line.
 *
 * @throws TypeError ERR_INTERPROC_ARGUMENT for what only a shell could do, and for what even a shell could not read. Its `position`
 *   is the place in the line, counted from 0 in UTF-16 code units
 */
export function parseLine(line: string): StageCommand[] {
  parse ??= (createRequire(import.meta.url)('unbash') as typeof import('unbash')).parse;
  const { commands, errors = [] } = parse(line);
  const [error] = errors;
  if (error !== undefined) refuse(line, error.pos, error.pos + 1, error.message);
  const [first, second] = commands;
  if (first === undefined) {
    checkBetween(line, 0, line.length);
    return refuse(line, line.length, line.length, 'a pipeline needs a command');
  }
  checkBetween(line, 0, first.pos);
  const stages = stagesOf(line, first.command);
  checkRest(line, first);
  if (second !== undefined) refuse(line, second.pos, second.end, 'a list of commands cannot be', WITH_A_SHELL);
  return stages;
}

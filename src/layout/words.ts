/** Names that mean something in C, C++ or Python, and so cannot be those of a field or a struct there. */
import { inspect } from 'node:util';
import { argumentError } from '../core/errors.js';

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Keywords of C23 and C++20, what the included headers define without parentheses, and what gcc has defined since Unix. */
const C = words(`
  alignas alignof and and_eq asm atomic_cancel auto bitand bitor bool break case catch char char8_t char16_t char32_t class
  co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
  double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace new
  noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires restrict return
  short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid
  typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq
  NULL offsetof linux unix i386 errno assert
  int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t ptrdiff_t`);

/** What stdint.h and stdatomic.h define: INT32_MAX, UINT8_C, ATOMIC_FLAG_INIT, … */
const C_MACRO =
  /^(U?INT\w*_(MIN|MAX|C|WIDTH)|(PTRDIFF|SIG_ATOMIC|SIZE|WCHAR|WINT)_(MIN|MAX|WIDTH)|ATOMIC_\w+|INTERPROC_\w+)$/;

/** The compiler's own. */
const C_RESERVED = /^_[A-Z_]|__/;

const PYTHON = words(`
  False None True and as assert async await break class continue def del elif else except finally for from global if import in
  is lambda nonlocal not or pass raise return try while with yield`);

/** What a ctypes structure has of its own; a field of this name would hide it. */
const CTYPES = words('from_address from_buffer from_buffer_copy from_param in_dll ctypes');

const PYTHON_RESERVED = /^_\w*_$|^__/;

/** A language that a layout is written in. */
export type Language = 'C' | 'Python';

function isTaken(language: Language, name: string): boolean {
  if (language === 'C') return C.has(name) || C_MACRO.test(name) || C_RESERVED.test(name);
  return PYTHON.has(name) || CTYPES.has(name) || PYTHON_RESERVED.test(name);
}

/** Throws for a name that means something in the language. @param what `the field tick.class` */
export function checkWord(language: Language, what: string, name: string): void {
  if (!isTaken(language, name)) return;
  throw argumentError(
    `${what} cannot be written in ${language}, where ${name} means something: call it otherwise`,
    'ERR_INTERPROC_NAME',
  );
}

/** Throws for what cannot be the name of a struct or class. */
export function checkTypeName(name: unknown): asserts name is string {
  if (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return;
  throw argumentError(
    `the name of a layout has letters, digits and _, and does not begin with a digit; got ${inspect(name)}`,
    'ERR_INTERPROC_NAME',
  );
}

/**
 * Programs in C and Python that know random layouts by what we generate for them, and nothing else. Values reach them as a
 * stream of leaves, one after the other without gaps, so that a place that is wrong on one side shows.
 */
import type { Kind, Layout, Scalar } from '../../src/layout/index.js';

const C_TYPES: Record<Scalar, string> = {
  u8: 'unsigned char',
  i8: 'signed char',
  u16: 'unsigned short',
  i16: 'short',
  u32: 'unsigned int',
  i32: 'int',
  u64: 'unsigned long',
  i64: 'long',
  f32: 'float',
  f64: 'double',
  bool: 'bool',
};

/** The leaves of a value as bytes, little-endian. */
export function leavesOf(kind: Kind, value: unknown): Buffer[] {
  if (typeof kind === 'string') return [scalarBytes(kind, value)];
  if (!('kind' in kind)) {
    return kind.fields.flatMap(({ name, kind: inner }) => leavesOf(inner, (value as Record<string, unknown>)[name]));
  }
  if (kind.kind === 'atomic') return [scalarBytes(kind.of, value)];
  if (kind.kind === 'array') return (value as unknown[]).flatMap((element) => leavesOf(kind.of, element));
  if (kind.kind === 'bytes') return [Buffer.from(value as Uint8Array)];
  const text = Buffer.alloc(kind.length);
  text.write(value as string);
  return [text];
}

function scalarBytes(kind: Scalar, value: unknown): Buffer {
  const size = kind === 'bool' ? 1 : Number(kind.slice(1)) / 8;
  const bytes = Buffer.alloc(size);
  if (kind === 'bool') bytes.writeUInt8(value ? 1 : 0);
  else if (kind === 'f32') bytes.writeFloatLE(value as number);
  else if (kind === 'f64') bytes.writeDoubleLE(value as number);
  else if (size === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, value as bigint));
  else if (kind.startsWith('i')) bytes.writeIntLE(value as number, 0, size);
  else bytes.writeUIntLE(value as number, 0, size);
  return bytes;
}

/** How many elements a field has in each dimension, outermost first; texts and bytes are arrays, too. */
export function shapeOf(kind: Kind): number[] {
  if (typeof kind === 'string' || !('kind' in kind) || kind.kind === 'atomic') return [];
  return kind.kind === 'array' ? [kind.length, ...shapeOf(kind.of)] : [kind.length];
}

/** One statement, or a loop of them, for each leaf below `place`. `macro` is GET or PUT. */
function statements(kind: Kind, place: string, depth: number): string {
  if (typeof kind === 'string') {
    return kind.startsWith('f') ? `FLOAT(${C_TYPES[kind]}, ${place});` : `SCALAR(${C_TYPES[kind]}, ${place});`;
  }
  if (!('kind' in kind))
    return kind.fields.map((field) => statements(field.kind, `${place}.${field.name}`, depth)).join('\n');
  if (kind.kind === 'atomic') return `ATOMIC(${C_TYPES[kind.of]}, ${place});`;
  if (kind.kind === 'array') {
    const index = `i${depth}`;
    return `for (int ${index} = 0; ${index} < ${kind.length}; ${index}++) {\n${statements(kind.of, `${place}[${index}]`, depth + 1)}\n}`;
  }
  return `BYTES(${place}, ${kind.length});`;
}

const C_HEAD = `#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
extern const unsigned char *leaf;
extern int faults;
static void fault(const char *place) { if (faults++ < 20) printf("%s\\n", place); }
`;

const C_GET = `#undef SCALAR
#undef FLOAT
#undef ATOMIC
#undef BYTES
#define SCALAR(type, place) { type want; memcpy(&want, leaf, sizeof want); leaf += sizeof want; if ((place) != want) fault(#place); }
#define FLOAT(type, place) { type want; memcpy(&want, leaf, sizeof want); leaf += sizeof want; if ((want == want || (place) == (place)) && memcmp(&(place), &want, sizeof want) != 0) fault(#place); }
#define ATOMIC(type, place) { type want; memcpy(&want, leaf, sizeof want); leaf += sizeof want; if (atomic_load(&(place)) != want) fault(#place); }
#define BYTES(place, length) { if (memcmp(place, leaf, length) != 0) fault(#place); leaf += length; }
`;

const C_PUT = `#undef SCALAR
#undef FLOAT
#undef ATOMIC
#undef BYTES
#define SCALAR(type, place) { type value; memcpy(&value, leaf, sizeof value); leaf += sizeof value; (place) = value; }
#define FLOAT(type, place) SCALAR(type, place)
#define ATOMIC(type, place) { type value; memcpy(&value, leaf, sizeof value); leaf += sizeof value; atomic_store(&(place), value); }
#define BYTES(place, length) { memcpy(place, leaf, length); leaf += length; }
`;

/** A translation unit with a function that checks and one that fills, for each of these layouts. */
export function cSource(layouts: readonly (readonly [string, Layout])[]): string {
  const headers = layouts.map(([name, one]) => one.toC(name));
  const functions = (verb: string): string[] =>
    layouts.map(([name, one]) => `void ${verb}_${name}(struct ${name} *s) {\n${statements(one, '(*s)', 0)}\n}`);
  return [...headers, C_HEAD, C_GET, ...functions('get'), C_PUT, ...functions('put'), ''].join('\n');
}

/** The main program: checks the memory of its first argument against the leaves of the second, fills that of the third with those of the fourth. */
export function cMain(
  layouts: readonly (readonly [string, Layout])[],
  offsets: readonly number[],
  byteLength: number,
): string {
  const declared = layouts.map(
    ([name]) => `struct ${name}; void get_${name}(struct ${name} *); void put_${name}(struct ${name} *);`,
  );
  const calls = (verb: string): string[] =>
    layouts.map(([name], index) => `  ${verb}_${name}((void *)(memory + ${offsets[index]}));`);
  return `#include <stdio.h>
#include <stdlib.h>
const unsigned char *leaf;
int faults;
${declared.join('\n')}
static unsigned char *load(const char *path) {
  FILE *file = fopen(path, "rb");
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  unsigned char *bytes = aligned_alloc(64, ((size_t)length + 127) / 64 * 64);
  if (fread(bytes, 1, (size_t)length, file) != (size_t)length) exit(2);
  fclose(file);
  return bytes;
}
int main(int argc, char **argv) {
  (void)argc;
  unsigned char *memory = load(argv[1]);
  leaf = load(argv[2]);
${calls('get').join('\n')}
  memory = load(argv[3]);
  leaf = load(argv[4]);
${calls('put').join('\n')}
  FILE *file = fopen(argv[3], "wb");
  if (fwrite(memory, 1, ${byteLength}, file) != ${byteLength}) return 2;
  fclose(file);
  printf("%d faults\\n", faults);
  return 0;
}
`;
}

/** The same in Python, by the classes alone: the fields, their types and what is in them come from ctypes. */
export const PYTHON = `
import ctypes, json, math, sys

class Leaves:
    def __init__(self, path):
        self.bytes = open(path, 'rb').read()
        self.at = 0
    def take(self, length):
        self.at += length
        return self.bytes[self.at - length:self.at]

faults = 0
def fault(place, got, want):
    global faults
    faults += 1
    if faults <= 20: print(place, got, want)

def is_text(kind):
    return issubclass(kind, ctypes.Array) and kind._type_ is ctypes.c_char

def get(kind, value, leaves, place):
    if issubclass(kind, ctypes.Structure):
        for name, inner in kind._fields_: get(inner, getattr(value, name), leaves, place + '.' + name)
    elif is_text(kind):
        want = leaves.take(kind._length_).split(b'\\0')[0]
        got = value if isinstance(value, bytes) else value.value
        if got != want: fault(place, got, want)
    elif issubclass(kind, ctypes.Array):
        for index in range(kind._length_): get(kind._type_, value[index], leaves, place + '[%d]' % index)
    else:
        want = kind.from_buffer_copy(leaves.take(ctypes.sizeof(kind))).value
        if value != want and not (value != value and want != want): fault(place, value, want)
        elif isinstance(want, float) and math.copysign(1, value) != math.copysign(1, want) and want == want: fault(place, value, want)

def put(kind, holder, key, leaves):
    if issubclass(kind, ctypes.Structure):
        one = holder[key] if isinstance(key, int) else getattr(holder, key)
        for name, inner in kind._fields_: put(inner, one, name, leaves)
        return
    if is_text(kind): value = leaves.take(kind._length_).split(b'\\0')[0]
    elif issubclass(kind, ctypes.Array):
        one = holder[key] if isinstance(key, int) else getattr(holder, key)
        for index in range(kind._length_): put(kind._type_, one, index, leaves)
        return
    else: value = kind.from_buffer_copy(leaves.take(ctypes.sizeof(kind))).value
    if isinstance(key, int) and is_text(kind): holder[key].value = value
    elif isinstance(key, int): holder[key] = value
    else: setattr(holder, key, value)

classes, written_by_us, our_leaves, written_by_c, c_leaves, to_write, leaves_to_write = sys.argv[1:]
names, offsets, shapes = json.load(open(classes + '.json'))
scope = {}
exec(compile(open(classes).read(), classes, 'exec'), scope)

def shape(kind):
    return [kind._length_] + shape(kind._type_) if issubclass(kind, ctypes.Array) else []
for name, want in zip(names, shapes):
    got = {field: shape(kind) for field, kind in scope[name]._fields_}
    if got != want: fault(name, got, want)

for memory, leaves in ((written_by_us, our_leaves), (written_by_c, c_leaves)):
    bytes_, leaves = bytearray(open(memory, 'rb').read()), Leaves(leaves)
    for name, offset in zip(names, offsets): get(scope[name], scope[name].from_buffer(bytes_, offset), leaves, memory + ' ' + name)
bytes_, leaves = bytearray(open(to_write, 'rb').read()), Leaves(leaves_to_write)
class Root: pass
for name, offset in zip(names, offsets):
    one = scope[name].from_buffer(bytes_, offset)
    for field, kind in scope[name]._fields_: put(kind, one, field, leaves)
    del one
open(to_write, 'wb').write(bytes_)
print('%d faults' % faults)
`;

/**
 * Fields of memory through a layout, and the same ones through a DataView, whose places the program knows: in turns of some
 * microseconds in one process, since a virtual processor is now fast and now slow. A dozen other layouts are in use, too, so that V8 has seen
 * many classes in every function of ours, and a mapping has been closed, after which V8 looks at each access whether its memory is gone.
 *
 *   --way read|write    six scalars of different kinds
 *   --way bigints       two of 64 bits, read
 *   --way nested        fields of a nested struct, read and written
 *   --way array         elements of an array of numbers, read
 *   --way atomic        an atomic addition; the other side is `Atomics`
 *   --way cursor        two scalars of the elements of a list, read
 */
import { anonymous } from '../../src/mmap/index.js';
import { array, atomic, type Cursor, type Kind, layout, type ViewOf } from '../../src/layout/index.js';
import { summarize } from '../statistics.js';
import { now, print, type Report, readOptions } from '../support/report.js';

const OTHERS = 12;
const SLICE = 2048;
/** With fewer, some runs are still compiled by the middle of V8's three compilers. */
const WARM_TURNS = 300;
const START = 128;
const ELEMENTS = 100;

const Point = layout({ x: 'f64', y: 'f64' });
const Tick = layout({
  id: 'u32',
  flag: 'u8',
  delta: 'i16',
  price: 'f64',
  size: 'i32',
  seq: 'u64',
  low: 'f64',
  stamp: 'i64',
  at: Point,
  tail: array('f64', 4),
  ready: atomic('i32'),
});
const Item = layout({ id: 'u32', price: 'f64' });

/**
 * The places, as somebody writes them who does without a layout: as numbers, for V8 loads a module's constant anew at each use, which made the
 * DataView a third slower.
 */
const PLACES = {
  id: 128,
  flag: 132,
  delta: 134,
  price: 136,
  size: 144,
  seq: 152,
  low: 160,
  stamp: 168,
  at: 176,
  tail: 192,
  ready: 224,
} as const;
const ITEMS = 4096;

interface Sides {
  data: DataView;
  words: Int32Array;
  view: ViewOf<typeof Tick>;
  cursor: Cursor<ViewOf<typeof Item>>;
}

/** One thing to do `count` times, by both sides; what each gives is compared. */
interface Way {
  accesses: number;
  dataView(sides: Sides, count: number): number;
  layout(sides: Sides, count: number): number;
}

const WAYS: Readonly<Record<string, Way>> = {
  read: {
    accesses: 6,
    dataView({ data }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) {
        sum += data.getUint32(128, true) + data.getUint8(132) + data.getInt16(134, true);
        sum += data.getFloat64(136, true) + data.getInt32(144, true) + data.getFloat64(160, true);
      }
      return sum;
    },
    layout({ view }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) {
        sum += view.id + view.flag + view.delta;
        sum += view.price + view.size + view.low;
      }
      return sum;
    },
  },
  write: {
    accesses: 6,
    dataView({ data }, count) {
      for (let n = 0; n < count; n++) {
        data.setUint32(128, n, true);
        data.setUint8(132, n & 127);
        data.setInt16(134, n & 1023, true);
        data.setFloat64(136, n + 0.5, true);
        data.setInt32(144, n, true);
        data.setFloat64(160, n * 0.25, true);
      }
      return data.getFloat64(136, true) + data.getFloat64(160, true) + data.getUint32(128, true);
    },
    layout({ view }, count) {
      for (let n = 0; n < count; n++) {
        view.id = n;
        view.flag = n & 127;
        view.delta = n & 1023;
        view.price = n + 0.5;
        view.size = n;
        view.low = n * 0.25;
      }
      return view.price + view.low + view.id;
    },
  },
  bigints: {
    accesses: 2,
    dataView({ data }, count) {
      let sum = 0n;
      for (let n = 0; n < count; n++) {
        sum = BigInt.asUintN(64, sum + data.getBigUint64(152, true) + data.getBigInt64(168, true));
      }
      return Number(sum);
    },
    layout({ view }, count) {
      let sum = 0n;
      for (let n = 0; n < count; n++) sum = BigInt.asUintN(64, sum + view.seq + view.stamp);
      return Number(sum);
    },
  },
  nested: {
    accesses: 3,
    dataView({ data }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) {
        data.setFloat64(176, n, true);
        sum += data.getFloat64(176, true) + data.getFloat64(184, true);
      }
      return sum;
    },
    layout({ view }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) {
        view.at.x = n;
        sum += view.at.x + view.at.y;
      }
      return sum;
    },
  },
  array: {
    accesses: 1,
    dataView({ data }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += data.getFloat64(192 + (n & 3) * 8, true);
      return sum;
    },
    layout({ view }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) sum += view.tail[n & 3] as number;
      return sum;
    },
  },
  atomic: {
    accesses: 1,
    dataView({ words }, count) {
      const before = Atomics.load(words, 56);
      for (let n = 0; n < count; n++) Atomics.add(words, 56, 1);
      return Atomics.load(words, 56) - before;
    },
    layout({ view }, count) {
      const before = view.ready.load();
      for (let n = 0; n < count; n++) view.ready.add(1);
      return view.ready.load() - before;
    },
  },
  cursor: {
    accesses: 2,
    dataView({ data }, count) {
      let sum = 0;
      for (let n = 0; n < count; n++) {
        const at = 4096 + (n % ELEMENTS) * Item.byteLength;
        sum += data.getUint32(at, true) + data.getFloat64(at + 8, true);
      }
      return sum;
    },
    layout({ cursor }, count) {
      let sum = 0;
      const { view } = cursor;
      for (let n = 0; n < count; n++) {
        cursor.moveTo(n % ELEMENTS);
        sum += view.id + view.price;
      }
      return sum;
    },
  },
};

/** Makes and uses other layouts with fields of all kinds, each at other places. */
function useOthers(): void {
  const kinds: Kind[] = ['f64', 'u32', 'i32', 'i16', 'u8', 'u64', 'i64', 'f32', array('f64', 2), Point, atomic('i32')];
  for (let n = 0; n < OTHERS; n++) {
    const fields = Object.fromEntries(kinds.map((_, at) => [`f${at}`, kinds[(at * 3 + n) % kinds.length] as Kind]));
    const view: Record<string, unknown> = layout(fields).view(new ArrayBuffer(4096), 64 * n);
    const cursor = layout(fields).list(new ArrayBuffer(4096), 0, 8).cursor();
    for (let round = 0; round < 3000; round++) {
      cursor.moveTo(round & 7);
      for (const name of Object.keys(fields)) {
        const value = view[name];
        if (typeof value !== 'object') view[name] = value;
        else if (value !== null && 'load' in value) (value as { load(): number }).load();
        else if (value !== null && 'x' in value) value.x = 1;
      }
    }
  }
}

function checkPlaces(): void {
  for (const [name, place] of Object.entries(PLACES)) {
    const offset = START + Tick.offsetOf(name as keyof typeof PLACES);
    if (offset !== place) throw new Error(`${name} is at ${offset}`);
  }
}

function main(): void {
  const { work, text } = readOptions(2e6);
  const way = WAYS[text('way', 'read')];
  if (way === undefined) throw new RangeError(`--way must be one of ${Object.keys(WAYS).join(', ')}`);
  checkPlaces();
  useOthers();
  anonymous(4096).close();
  using memory = anonymous(65536);
  const sides: Sides = {
    data: new DataView(memory.buffer),
    words: memory.int32,
    view: Tick.view(memory, START),
    cursor: Item.list(memory, ITEMS, ELEMENTS).cursor(),
  };
  let alike = true;
  const spent: Record<'dataView' | 'layout', number[]> = { dataView: [], layout: [] };
  const turn = (side: 'dataView' | 'layout'): number => {
    const start = now();
    const result = way[side](sides, SLICE);
    spent[side].push(now() - start);
    return result;
  };
  const turns = Math.ceil(work.total / SLICE);
  const warmup = Math.max(WARM_TURNS, turns - Math.ceil(work.count / SLICE));
  for (let n = -warmup; n < turns; n++) {
    if (n === 0) spent.dataView.length = spent.layout.length = 0;
    const results = n & 1 ? [turn('dataView'), turn('layout')] : [turn('layout'), turn('dataView')];
    alike &&= results[0] === results[1];
  }
  // The median turn stands for all: one in which somebody else had the processor says nothing.
  const reportOf = (nanoseconds: number[]): Report => {
    const seconds = (summarize(nanoseconds).median * turns) / 1e9;
    const messages = turns * SLICE * way.accesses;
    return {
      rate: messages / seconds,
      unit: 'accesses/s',
      seconds,
      messages,
      bytes: messages * work.size,
      p50: null,
      p99: null,
      checksumOk: alike,
    };
  };
  print({ ...reportOf(spent.layout), beside: { dataview: reportOf(spent.dataView) } });
}

main();

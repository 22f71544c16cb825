/** Every workload of the bench: who does it, how much of it, and what our side must reach. */
import type { Contest, Entry, Processors, RatioSpec, Target } from './contest.js';

interface Work {
  workload: string;
  mechanism: string;
  size: number;
  program: string;
  args: readonly string[];
  count: number;
}

/** Our program and the C program of the same name, with the same arguments and counts. */
function pair(
  work: Work,
  processors: Processors,
  target: Target | null,
  metric: 'rate' | 'p50',
  oursCount = work.count,
): Contest {
  const { program, count, args, ...row } = work;
  const entries: Entry[] = [
    { ...row, id: 'c', implementation: 'c', program, args, count },
    { ...row, id: 'interproc', implementation: 'interproc', program: `ours/${program}`, args, count: oursCount },
  ];
  const name = `${work.mechanism}: ${work.workload}`;
  const ratio: RatioSpec = {
    name: `${name}, against C`,
    of: 'interproc',
    against: 'c',
    metric,
    target,
    lowerIsBetter: metric === 'p50',
  };
  return { name, processors, entries, ratios: [ratio] };
}

function ring(workload: string, args: readonly string[], size: number, count: number, target: Target): Contest[] {
  return ['shm', 'posixshm'].map((mechanism) =>
    pair(
      { workload, mechanism, size, program: 'ring-oneway', args: ['--mechanism', mechanism, ...args], count },
      'any',
      mechanism === 'shm' ? target : null,
      'rate',
    ),
  );
}

const SMALL = 64;
const PAGE = 4096;
const BLOCK = 65536;
/** What keeps the boundaries of messages. */
const QUEUES = ['mq', 'msgq', 'unixgram', 'unixpacket'];

const rings: Contest[] = [
  ...ring('64 B, each published, copied', ['--publish', '1', '--mode', 'copy'], SMALL, 20e6, { must: 0.4, goal: 0.6 }),
  ...ring('64 B, published by 32, copied', ['--publish', '32', '--mode', 'copy'], SMALL, 30e6, {
    must: 0.33,
    goal: 0.5,
  }),
  ...ring('64 B, published by 32, in place', ['--publish', '32', '--mode', 'place'], SMALL, 30e6, {
    must: 0.45,
    goal: 0.7,
  }),
  ...ring('64 KiB blocks', ['--publish', '1', '--mode', 'copy'], BLOCK, 100e3, { must: 0.85, goal: 0.95 }),
];

/** What a user of Node has instead: the same bytes through Node's own streams, by one write each, as a further entry. */
function beside(contest: Contest, mechanism: string, size: number, count: number): Contest {
  const over = { pipe: 'stdio', unix: 'net' }[mechanism];
  if (over === undefined) return contest;
  const implementation = over === 'net' ? 'net' : 'child_process';
  const { workload } = contest.entries[0] as Entry;
  const args = ['--over', over, '--way', 'each'];
  const peer: Entry = {
    id: over,
    workload,
    mechanism,
    implementation,
    size,
    program: 'peers/node-oneway',
    args,
    count,
  };
  const ratio: RatioSpec = {
    name: `${contest.name}, against ${implementation}`,
    of: 'interproc',
    against: over,
    metric: 'rate',
    target: null,
    lowerIsBetter: false,
  };
  return { ...contest, entries: [...contest.entries, peer], ratios: [...contest.ratios, ratio] };
}

/** What a user of Node has instead of a queue: a package over a Unix socket, and the channel of `fork`. */
function besideMessages(contest: Contest, size: number): Contest {
  const { workload, mechanism } = contest.entries[0] as Entry;
  const peers: Entry[] = [
    { id: 'zeromq', implementation: 'zeromq', program: 'peers/zeromq', count: 100e3 },
    { id: 'process-send', implementation: 'process.send', program: 'peers/process-send', count: 60e3 },
  ].map((peer) => ({ ...peer, workload, mechanism, size, args: [] }));
  const ratios = peers.map(({ id, implementation }) =>
    higher(`${contest.name}, against ${implementation}`, 'interproc', id, { must: 1, goal: 1 }),
  );
  return { ...contest, entries: [...contest.entries, ...peers], ratios: [...contest.ratios, ...ratios] };
}

const queues: Contest[] = QUEUES.flatMap((mechanism) =>
  [SMALL, PAGE].map((size) => {
    const contest = pair(
      {
        workload: size === SMALL ? '64 B, one system call each' : '4 KiB, one system call each',
        mechanism,
        size,
        program: 'kernel-oneway',
        args: ['--mechanism', mechanism],
        count: size === SMALL ? 600e3 : 300e3,
      },
      'one',
      { must: 0.7, goal: 0.85 },
      'rate',
    );
    return besideMessages(contest, size);
  }),
);

/** Many messages with one call, against one each, both awaited. */
const many: Contest[] = ['unixgram', 'unixpacket'].map((mechanism) => {
  const args = (way: string): string[] => ['--mechanism', mechanism, '--way', way];
  const program = 'ours/messages-awaited';
  return {
    name: `${mechanism}: 64 B, sendMany and receiveMany`,
    processors: 'any',
    entries: [
      oneWay('each', '64 B, await send and receive', mechanism, 'interproc', program, args('each'), 300e3),
      oneWay('many', '64 B, await sendMany and receiveMany', mechanism, 'interproc', program, args('many'), 600e3),
    ],
    ratios: [higher(`${mechanism}: sendMany against single sends`, 'many', 'each', { must: 2, goal: 2 })],
  };
});

const perMessage: Contest[] = ['pipe', 'fifo', 'unix'].map((mechanism) => {
  const contest = pair(
    {
      workload: '64 B, one system call each',
      mechanism,
      size: SMALL,
      program: 'kernel-oneway',
      args: ['--mechanism', mechanism],
      count: mechanism === 'unix' ? 600e3 : 1.5e6,
    },
    'one',
    { must: 0.7, goal: 0.85 },
    'rate',
  );
  return beside(contest, mechanism, SMALL, 200e3);
});

const blocks: Contest[] = ['pipe', 'unix'].map((mechanism) => {
  const contest = pair(
    {
      workload: '64 KiB blocks',
      mechanism,
      size: BLOCK,
      program: 'kernel-oneway',
      args: ['--mechanism', mechanism],
      count: 50e3,
    },
    'one',
    { must: 0.85, goal: 0.95 },
    'rate',
  );
  return beside(contest, mechanism, BLOCK, 20e3);
});

/** 2 GiB of zeros through three programs: from call to result, in a process that has run one before. */
const pipeline: Contest = {
  name: 'pipeline: head | cat | wc',
  processors: 'any',
  entries: [
    joined('shell', 'bash', 'peers/joined', ['--way', 'bash']),
    joined('interproc', 'interproc', 'ours/joined', ['--taps', 'none']),
    joined('tapped', 'interproc, counted by taps', 'ours/joined', ['--taps', 'count']),
    joined('copied', 'interproc, a tap with a copy', 'ours/joined', ['--taps', 'copy']),
    joined('child_process', 'child_process', 'peers/joined', ['--way', 'child_process']),
  ],
  ratios: [
    higher('pipeline: against bash', 'interproc', 'shell', { must: 0.952, goal: 1 }),
    higher('pipeline: with taps, against without', 'tapped', 'interproc', null),
    higher('pipeline: a tap with a copy, against without', 'copied', 'interproc', null),
    higher('pipeline: against child_process', 'interproc', 'child_process', null),
  ],
};

function joined(id: string, implementation: string, program: string, args: readonly string[]): Entry {
  const count = 2 ** 31 / BLOCK;
  return { id, workload: 'head | cat | wc', mechanism: 'pipeline', implementation, size: BLOCK, program, args, count };
}

const file: Contest = pair(
  {
    workload: '64 B, appended and followed',
    mechanism: 'file',
    size: SMALL,
    program: 'file-oneway',
    args: [],
    count: 500e3,
  },
  'any',
  null,
  'rate',
);

const durableFile: Contest = pair(
  {
    workload: '64 B, appended, fdatasync each',
    mechanism: 'file',
    size: SMALL,
    program: 'file-oneway',
    args: ['--durable', '1'],
    count: 5e3,
  },
  'any',
  null,
  'rate',
);

const blockingRoundTrips: Contest[] = ['pipe', 'fifo', 'unix', ...QUEUES].map((mechanism) =>
  pair(
    {
      workload: 'round trip, blocking',
      mechanism,
      size: SMALL,
      program: 'kernel-roundtrip',
      args: ['--mechanism', mechanism],
      count: 100e3,
    },
    'one',
    null,
    'p50',
  ),
);

const signalRoundTrip: Contest = pair(
  {
    workload: 'round trip with a value',
    mechanism: 'signal',
    size: 4,
    program: 'signal-roundtrip',
    args: [],
    count: 60e3,
  },
  'one',
  { must: 2, goal: 1.8 },
  'p50',
);

const spinning: Contest = pair(
  { workload: 'round trip, spinning', mechanism: 'shm', size: SMALL, program: 'ring-roundtrip', args: [], count: 2e6 },
  'any',
  { must: 2, goal: 1.5 },
  'p50',
);

const asleep: Contest = {
  name: 'shm: round trip, both asleep',
  processors: 'one',
  entries: [
    roundTrip('c', 'shm', 'c', 'asleep-roundtrip', 80e3),
    roundTrip('interproc', 'shm', 'interproc', 'ours/asleep-roundtrip', 60e3),
    roundTrip('net', 'unix', 'net', 'peers/net-roundtrip', 30e3),
  ],
  ratios: [
    lower('shm: round trip, both asleep, against C', 'c', 'p50', { must: 1.3, goal: 1.1 }),
    lower('shm: round trip p50, both asleep, against net', 'net', 'p50', { must: 1, goal: 1 }),
    lower('shm: round trip p99, both asleep, against net', 'net', 'p99', { must: 1, goal: 1 }),
  ],
};

function roundTrip(id: string, mechanism: string, implementation: string, program: string, count: number): Entry {
  return { id, workload: 'round trip, both asleep', mechanism, implementation, size: SMALL, program, args: [], count };
}

function lower(name: string, against: string, metric: 'p50' | 'p99' | 'seconds', target: Target | null): RatioSpec {
  return { name, of: 'interproc', against, metric, target, lowerIsBetter: true };
}

const channel: Contest = {
  name: 'channel against net',
  processors: 'any',
  entries: [
    oneWay(
      'shm-batches',
      '64 B, trySend and drain',
      'shm',
      'interproc',
      'ours/channel-oneway',
      ['--scheme', 'shm', '--way', 'batch'],
      20e6,
    ),
    oneWay(
      'shm-each',
      '64 B, await send and for await',
      'shm',
      'interproc',
      'ours/channel-oneway',
      ['--scheme', 'shm', '--way', 'each'],
      3e6,
    ),
    oneWay(
      'unix-batches',
      '64 B, by batches',
      'unix',
      'interproc',
      'ours/channel-oneway',
      ['--scheme', 'unix', '--way', 'batch'],
      8e6,
    ),
    oneWay('net', '64 B, one write each', 'unix', 'net', 'peers/node-oneway', ['--way', 'each'], 800e3),
    oneWay('net-batched', '64 B, batched by hand', 'unix', 'net', 'peers/node-oneway', ['--way', 'batch'], 10e6),
  ],
  ratios: [
    higher('shm: channel by trySend and drain, against net', 'shm-batches', 'net', { must: 20, goal: 30 }),
    higher('shm: channel by trySend and drain, against net batched by hand', 'shm-batches', 'net-batched', {
      must: 1.3,
      goal: 2,
    }),
    higher('shm: channel by await send and for await, against net', 'shm-each', 'net', { must: 3, goal: 6 }),
    higher('unix: channel by batches, against net', 'unix-batches', 'net', { must: 8, goal: 12 }),
  ],
};

function oneWay(
  id: string,
  workload: string,
  mechanism: string,
  implementation: string,
  program: string,
  args: readonly string[],
  count: number,
): Entry {
  return { id, workload, mechanism, implementation, size: SMALL, program, args, count };
}

function higher(name: string, of: string, against: string, target: Target | null): RatioSpec {
  return { name, of, against, metric: 'rate', target, lowerIsBetter: false };
}

/** A field through a layout may cost 1.5 times what it costs through a DataView. */
const layouts: Contest[] = [
  ['read', 'six scalars read', 2e6],
  ['write', 'six scalars written', 2e6],
  ['bigints', 'two scalars of 64 bits read', 2e6],
  ['nested', 'fields of a nested struct', 4e6],
  ['array', 'elements of an array', 8e6],
  ['atomic', 'an atomic addition', 4e6],
  ['cursor', 'two scalars of each element of a list', 4e6],
].map(([way, workload, count]) => layoutContest(String(way), String(workload), Number(count)));

function layoutContest(way: string, workload: string, count: number): Contest {
  const row = { workload, mechanism: 'layout', size: 8, program: 'ours/layout-fields', args: ['--way', way], count };
  const against = way === 'atomic' ? 'Atomics' : 'DataView';
  const name = `layout: ${workload}`;
  const target = way === 'cursor' ? null : { must: 1.5, goal: 1.1 };
  return {
    name,
    processors: 'one',
    entries: [
      { ...row, id: 'interproc', implementation: 'interproc' },
      { ...row, id: 'dataview', implementation: against, alongside: 'interproc' },
    ],
    ratios: [lower(`${name}, against ${against}`, 'dataview', 'seconds', target)],
  };
}

/** What a lock carries: nothing but a count that it guards. */
const COUNTED = 4;

/** How often each side does it, for C, for ours that blocks, and for ours that is awaited. */
interface LockCounts {
  c: number;
  sync: number;
  awaited: number;
}

/** A lock by our functions that block, by those that are awaited, and in C. */
function lockContest(
  mechanism: string,
  program: 'take' | 'hand-over',
  workload: string,
  processors: Processors,
  counts: LockCounts,
  target: Target | null,
): Contest {
  const row = { workload, mechanism, size: COUNTED };
  const args = (way: string): string[] => ['--mechanism', mechanism, '--way', way];
  const ours = `ours/${program}`;
  const name = `${mechanism}: ${workload}`;
  const awaited = 'interproc, awaited';
  return {
    name,
    processors,
    entries: [
      { ...row, id: 'c', implementation: 'c', program, args: ['--mechanism', mechanism], count: counts.c },
      { ...row, id: 'interproc', implementation: 'interproc', program: ours, args: args('sync'), count: counts.sync },
      { ...row, id: 'awaited', implementation: awaited, program: ours, args: args('await'), count: counts.awaited },
    ],
    ratios: [
      lower(`${name}, against C`, 'c', 'p50', target),
      { ...lower(`${name}, awaited, against C`, 'c', 'p50', null), of: 'awaited' },
    ],
  };
}

const TAKES: Readonly<Record<string, LockCounts>> = {
  mutex: { c: 20e6, sync: 5e6, awaited: 500e3 },
  sem: { c: 20e6, sync: 2e6, awaited: 500e3 },
  semset: { c: 500e3, sync: 300e3, awaited: 200e3 },
  flock: { c: 100e3, sync: 30e3, awaited: 30e3 },
  ofd: { c: 100e3, sync: 30e3, awaited: 30e3 },
};

const HAND_OVERS: Readonly<Record<string, LockCounts>> = {
  mutex: { c: 60e3, sync: 50e3, awaited: 10e3 },
  sem: { c: 60e3, sync: 50e3, awaited: 10e3 },
  semset: { c: 60e3, sync: 50e3, awaited: 10e3 },
  flock: { c: 30e3, sync: 8e3, awaited: 5e3 },
  ofd: { c: 30e3, sync: 8e3, awaited: 5e3 },
};

/** What is asked of them; nothing of those that are not named. */
const TAKE_TARGETS: Readonly<Record<string, Target>> = { mutex: { must: 3, goal: 2 } };
const HAND_OVER_TARGETS: Readonly<Record<string, Target>> = { mutex: { must: 2, goal: 1.5 } };

const takes: Contest[] = Object.entries(TAKES).map(([mechanism, counts]) =>
  lockContest(mechanism, 'take', 'taken and given back, uncontended', 'one', counts, TAKE_TARGETS[mechanism] ?? null),
);

/** There and back: two hand-overs. */
const handOvers: Contest[] = Object.entries(HAND_OVERS).map(([mechanism, counts]) =>
  lockContest(mechanism, 'hand-over', 'handed over and back', 'one', counts, HAND_OVER_TARGETS[mechanism] ?? null),
);

/** The same with two processors, where a wake-up crosses from one to the other, for those whose state is memory. */
const handOversApart: Contest[] = Object.entries(HAND_OVERS)
  .filter(([mechanism]) => mechanism === 'mutex' || mechanism === 'sem')
  .map(([mechanism, counts]) =>
    lockContest(
      mechanism,
      'hand-over',
      'handed over and back, two processors',
      'any',
      counts,
      HAND_OVER_TARGETS[mechanism] ?? null,
    ),
  );

/** Against the package that Node users take for lock files: it has nothing that blocks, so ours is awaited, too. */
const lockFiles: Contest[] = (
  [
    ['take', 'taken and given back, uncontended', 1e3, 2e3],
    ['hand-over', 'handed over and back', 500, 300],
  ] as const
).map(([what, workload, count, peerCount]) => {
  const row = { workload, mechanism: 'lock-file', size: COUNTED };
  const ours = (id: string, implementation: string, mechanism: string): Entry => {
    const args = ['--mechanism', mechanism, '--way', 'await'];
    return { ...row, id, implementation, program: `ours/${what}`, args, count };
  };
  const peer = 'proper-lockfile';
  const name = `lock-file: ${workload}`;
  return {
    name,
    processors: 'one',
    entries: [
      ours('interproc', 'interproc, awaited', 'lock-file'),
      ours('stays', 'interproc, awaited, file stays', 'lock-file-stays'),
      { ...row, id: peer, implementation: peer, program: `peers/${peer}`, args: ['--what', what], count: peerCount },
    ],
    // Nothing is asked of them: a file with its owner's record, made and removed, is more than a folder.
    ratios: [
      lower(`${name}, against ${peer}`, peer, 'p50', null),
      { ...lower(`${name}, file stays, against ${peer}`, peer, 'p50', null), of: 'stays' },
    ],
  };
});

/** All contests, in the order in which they are run and printed. */
export const contests: readonly Contest[] = [
  ...rings,
  ...perMessage,
  ...queues,
  ...many,
  ...blocks,
  pipeline,
  file,
  durableFile,
  spinning,
  asleep,
  ...blockingRoundTrips,
  signalRoundTrip,
  channel,
  ...layouts,
  ...takes,
  ...handOvers,
  ...handOversApart,
  ...lockFiles,
];

/**
 * The lines by which the locks in shared memory recover from a death, and what is there without each: in `file`, `find`, which is there once, is
 * replaced. One of `tests` has to fail then; they are tried in their order.
 */

const STEPS = 'test/lock/steps.test.ts';
const DEATHS = 'test/lock/deaths.test.ts';
const SEATS = 'src/lock/seats.ts';
const TABLE = 'src/lock/table.ts';
const ROBUST = 'native/robust.c';
const SLEEPING = 'native/sleeping.c';

/** All, or those with such names. */
const steps = (pattern) => ({ file: STEPS, pattern });
const deaths = (pattern) => ({ file: DEATHS, pattern });

export const MUTATIONS = [
  // ---- the door and the seats of a table
  {
    file: SEATS,
    name: 'who finds the door’s owner dead makes it good',
    find: '      this.#door.consistent();\n',
    replace: '',
    tests: [steps('a writer and two readers|a barrier')],
  },
  {
    file: SEATS,
    name: 'whom a dead one has granted something is told again',
    find: '      this.tellAll();\n',
    replace: '',
    tests: [deaths('was not told')],
  },
  {
    file: SEATS,
    name: 'the dead are looked for behind the door',
    find: '      this.bury();\n      try {',
    replace: '      try {',
    tests: [steps('who comes next|given it back')],
  },
  {
    file: SEATS,
    name: 'what a dead one leaves of its claim',
    find: '      this.setClaim(seat, this.died(seat, this.claimOf(seat)));\n',
    replace: '      this.died(seat, this.claimOf(seat));\n',
    tests: [steps('who comes next|given it back')],
  },
  {
    file: SEATS,
    name: 'which thread has died',
    find: '      this.words[this.at(seat, SEAT_DEAD_TID)] = this.words[this.at(seat, OWNER)] as number;\n',
    replace: '',
    tests: [deaths('who has died')],
  },
  {
    file: SEATS,
    name: 'a dead one’s seat is free again',
    find: '      Atomics.store(this.words, this.at(seat, 0), 0);\n',
    replace: '',
    tests: [deaths('need no seat'), steps('who comes next|given it back|a barrier')],
  },
  {
    file: SEATS,
    name: 'a death leaves its claim before its seat',
    find: `      this.setClaim(seat, this.died(seat, this.claimOf(seat)));
      this.words[this.at(seat, OWNER)] = 0;
      Atomics.store(this.words, this.at(seat, 0), 0);
`,
    replace: `      const left = this.died(seat, this.claimOf(seat));
      this.words[this.at(seat, OWNER)] = 0;
      Atomics.store(this.words, this.at(seat, 0), 0);
      this.setClaim(seat, left);
`,
    tests: [steps('buries')],
  },
  {
    file: SEATS,
    name: 'what was released meanwhile is settled by who leaves the door',
    find: '    if (this.load(DIRTY) !== seen) this.settleSoon();\n',
    replace: '',
    tests: [deaths('while another is behind the door')],
  },
  {
    file: SEATS,
    name: 'what is released outside of the door is told to who is behind it',
    find: '    Atomics.add(this.words, this.base + DIRTY / 4, 1);\n',
    replace: '',
    tests: [deaths('while another is behind the door')],
  },
  {
    file: SEATS,
    name: 'what is released is settled',
    find: '    Atomics.add(this.words, this.base + DIRTY / 4, 1);\n    this.settleSoon();\n',
    replace: '    Atomics.add(this.words, this.base + DIRTY / 4, 1);\n',
    tests: [deaths('at once')],
  },
  {
    file: TABLE,
    name: 'who sleeps watches those in his way',
    find: 'Float64Array.from([this.offset, ...others.map((seat) => this.at(seat, 0) * 4)])',
    replace: 'Float64Array.from([this.offset])',
    tests: [deaths('at once')],
  },
  {
    file: TABLE,
    name: 'a wish that is given up is taken back',
    find: '        if (!granted) wish.withdraw();\n      },\n      outside',
    replace: '      },\n      outside',
    tests: [deaths('gives up')],
  },
  {
    file: TABLE,
    name: 'a wish that was not to wait is taken back',
    find: '        if (!granted) wish.withdraw();\n      },\n    );\n    return granted',
    replace: '      },\n    );\n    return granted',
    tests: [deaths('gives up')],
  },
  // ---- readers and writers
  {
    file: 'src/lock/rwlock.ts',
    name: 'a dead writer leaves it inconsistent',
    find: '      if (this.load(CONSISTENCY) === CONSISTENT) this.store(CONSISTENCY, INCONSISTENT);\n',
    replace: '',
    tests: [steps('who comes next: write')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'what nobody has repaired stays broken',
    find: '      if (this.load(CONSISTENCY) === CONSISTENT) this.store(CONSISTENCY, INCONSISTENT);\n',
    replace: '      this.store(CONSISTENCY, INCONSISTENT);\n',
    tests: [deaths('leaves it broken')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'it is broken before it is free',
    find: '      this.store(CONSISTENCY, BROKEN);\n',
    replace: '',
    tests: [deaths('did not repair')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'a dead reader is remembered for who comes next',
    find: '    return (claim & READERS) === 0 ? claim & DIED : DIED_READING;\n',
    replace: '    return 0;\n',
    tests: [deaths('who has died')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'a dead writer is remembered for who comes next',
    find: '      return DIED_WRITING;\n',
    replace: '      return 0;\n',
    tests: [steps('who comes next: write')],
  },
  {
    file: SEATS,
    name: 'a death is told once',
    find: '      dead.push(this.deadOwner(seat));\n      this.setClaim(seat, 0);\n',
    replace: '      dead.push(this.deadOwner(seat));\n',
    tests: [steps('who comes next'), steps('given it back')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'who reads first after a dead writer is alone',
    find: 'const alone = !reads || consistency === INCONSISTENT;',
    replace: 'const alone = !reads;',
    tests: [deaths('is alone')],
  },
  {
    file: 'src/lock/rwlock.ts',
    name: 'those who wait for what is broken are woken',
    find: `      if (consistency === BROKEN) {
        this.tell(seat);
        continue;
      }
`,
    replace: '      if (consistency === BROKEN) return;\n',
    tests: [deaths('did not repair')],
  },
  // ---- semaphore
  {
    file: 'src/lock/semaphore.ts',
    name: 'a dead holder’s permits are free',
    find: '    return (claim & HELD) === 0 ? claim & DIED : DIED;\n',
    replace: '    return claim;\n',
    tests: [steps('given it back')],
  },
  {
    file: 'src/lock/semaphore.ts',
    name: 'a dead holder is remembered for who comes next',
    find: '    return (claim & HELD) === 0 ? claim & DIED : DIED;\n',
    replace: '    return 0;\n',
    tests: [deaths('who has died')],
  },
  // ---- condition
  {
    file: 'src/lock/condition.ts',
    name: 'a signal that a dead one has not used is kept',
    find: '    this.add(LEFT, signalledOf(claim)); // [note-signal]\n',
    replace: '',
    tests: [deaths('signal')],
  },
  {
    file: 'src/lock/condition.ts',
    name: 'a signal that a dead one has not used goes to another',
    find: '      if (this.#signalOne()) this.add(LEFT, -1);\n      else this.store(LEFT, 0);\n',
    replace: '      this.store(LEFT, 0);\n',
    tests: [deaths('signal')],
  },
  {
    file: 'src/lock/condition.ts',
    name: 'a dead waiter is forgotten',
    find: '    this.add(LEFT, signalledOf(claim)); // [note-signal]\n    return 0;\n',
    replace: '    this.add(LEFT, signalledOf(claim));\n    return claim;\n',
    tests: [deaths('forgotten|signal')],
  },
  {
    file: TABLE,
    name: 'what a closed handle had not used goes to another, though somebody stands still behind the door',
    find: '    this.leave();\n    this.released();\n',
    replace: '    this.setClaim(this.seat, 0);\n    this.released();\n',
    tests: [{ file: 'test/lock/condition.test.ts', pattern: 'though somebody stands still' }],
  },
  // ---- barrier
  {
    file: 'src/lock/barrier.ts',
    name: 'a death is noted',
    find: '    this.store(DEATH, 1);\n',
    replace: '',
    tests: [steps('a barrier|all pass')],
  },
  {
    file: 'src/lock/barrier.ts',
    name: 'a death breaks the round',
    find: '    if (this.load(DEATH) !== 0) {\n      this.store(OUTCOME, BROKEN); // [break]\n    } else if',
    replace: '    if',
    tests: [steps('all pass')],
  },
  {
    file: 'src/lock/barrier.ts',
    name: 'a death breaks one round only',
    find: '    if (outcome !== PASSED) this.store(DEATH, 0);\n',
    replace: '',
    tests: [steps('all pass')],
  },
  {
    file: 'src/lock/barrier.ts',
    name: 'the round that somebody was ending is ended first',
    find: '    this.#end();\n    super.bury();\n',
    replace: '    super.bury();\n',
    tests: [steps('all pass')],
  },
  {
    file: 'src/lock/barrier.ts',
    name: 'what was decided is written down before it is told',
    find: '      this.store(OUTCOME, PASSED); // [pass]\n      this.#last = true;\n    }\n    this.#end();\n',
    replace: '      this.#last = true;\n      this.#end(PASSED);\n      return;\n    }\n    this.#end();\n',
    also: {
      find: '  #end(): void {\n    const outcome = this.load(OUTCOME);\n',
      replace: '  #end(outcome = this.load(OUTCOME)) {\n',
    },
    tests: [steps('all pass')],
  },
  // ---- latch, once
  {
    file: 'src/lock/latch.ts',
    name: 'who has counted to zero and died is followed by who wakes the others',
    find: '      this.setClaim(seat, 0);\n      this.tell(seat);\n',
    replace: '      this.setClaim(seat, 0);\n',
    tests: [deaths('at once')],
  },
  {
    file: 'src/lock/once.ts',
    name: 'who begins anew makes good what the dead one had',
    find: '    guard.markConsistent();\n',
    replace: '',
    tests: [deaths('a once')],
  },
  // ---- one robust mutex, as JavaScript takes it
  {
    file: 'src/lock/robust.ts',
    name: 'NOT_RECOVERABLE is looked for after taking',
    find: '    if (words[OWNER / 4] === NOT_RECOVERABLE) {\n      this.bound.free();\n      return -ENOTRECOVERABLE;\n    }\n',
    replace: '',
    tests: [deaths('mutex that nobody has repaired')],
  },
  {
    file: 'src/lock/robust.ts',
    name: 'what JavaScript takes is in the list',
    find: '    pointers[FIRST] = node;\n',
    replace: '',
    tests: [deaths('who has died')],
  },
  {
    file: 'src/lock/robust.ts',
    name: 'what JavaScript is taking is pending',
    find: '    pointers[PENDING] = node;\n    // [take]\n',
    replace: '    // [take]\n',
    tests: [deaths('between taking')],
  },
  {
    file: 'src/lock/robust.ts',
    name: 'what JavaScript is freeing is pending',
    find: '    pointers[PENDING] = this.node;\n',
    replace: '',
    tests: [steps('two who wait')],
  },
  {
    file: 'src/lock/robust.ts',
    name: 'who frees it wakes one who sleeps',
    find: '    if (Atomics.compareExchange(words, 0, tid, 0) !== tid) return this.bound.free();\n',
    replace: '    Atomics.store(words, 0, 0);\n',
    tests: [deaths('at once')],
  },
  // ---- one robust mutex, as the addon takes it
  {
    file: ROBUST,
    name: 'what a dead one had is taken',
    find: 'if ((seen & FUTEX_TID_MASK) != 0 && (seen & FUTEX_OWNER_DIED) == 0) {',
    replace: 'if (seen != 0) {',
    tests: [steps('it free')],
  },
  {
    file: ROBUST,
    name: 'who takes it from a dead one is told',
    find: '  bool died = (seen & FUTEX_OWNER_DIED) != 0;\n',
    replace: '  bool died = false;\n',
    tests: [deaths('who has died')],
  },
  {
    file: ROBUST,
    name: 'NOT_RECOVERABLE is looked for after taking',
    find: 'if (at->mutex.owner == NOT_RECOVERABLE) {',
    replace: 'if (false) {',
    tests: [deaths('mutex that nobody has repaired')],
  },
  {
    file: ROBUST,
    name: 'a mutex that nobody has repaired says so',
    find: '  at->mutex.owner = broken ? NOT_RECOVERABLE : 0;\n',
    replace: '  at->mutex.owner = 0;\n',
    tests: [deaths('mutex that nobody has repaired')],
  },
  {
    file: ROBUST,
    name: 'what the addon takes is in the list',
    find: '  thread->head->list.next = (struct robust_list *)(void *)&mutex->next;\n',
    replace: '',
    tests: [deaths('who has died')],
  },
  {
    file: ROBUST,
    name: 'who has slept keeps FUTEX_WAITERS',
    find: 'usable(lock) ? take(lock, FUTEX_WAITERS) : -EBADF',
    replace: 'usable(lock) ? take(lock, 0) : -EBADF',
    tests: [deaths('at once')],
  },
  {
    file: ROBUST,
    name: 'at the end of an environment its locks are marked',
    find: '(seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) {\n  }',
    replace: '(seen & FUTEX_WAITERS))) {\n  }',
    tests: [deaths('terminated')],
  },
  {
    file: ROBUST,
    name: 'the locks of an environment that ends are gone through',
    find: '  while (thread->latest != NULL) die(thread, thread->latest);\n',
    replace: '',
    tests: [deaths('terminated')],
  },
  {
    file: SLEEPING,
    name: 'who sleeps looks again after a quarter of a second',
    find: '  until.tv_sec += until.tv_nsec / 1000000000;\n',
    replace: '  until.tv_sec += 3600;\n',
    tests: [deaths('not told: who sleeps')],
  },
  {
    file: SLEEPING,
    name: 'who sleeps says so in the lives of those in his way',
    find: '!atomic_compare_exchange_weak(words[index], &seen, seen | FUTEX_WAITERS)) { /* [announce] */',
    replace: 'false) {',
    tests: [deaths('at once')],
  },
  {
    file: ROBUST,
    name: 'one who was killed while he made one is taken over',
    find: 'if (seen == 0 || (seen & ~FUTEX_WAITERS) == FUTEX_OWNER_DIED) continue;',
    replace: 'if (seen == 0) continue;',
    tests: [deaths('while he made')],
  },
];

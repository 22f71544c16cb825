/** The mechanisms of the tour in the order in which they run. Adding one is adding a file to rows/ and naming it here, or to primitives/ and there. */
import { rowOf } from './primitive.js';
import { PRIMITIVES } from './primitives.js';
import type { Row } from './row.js';
import { row as anonymous } from './rows/anonymous.js';
import { row as fifo } from './rows/fifo.js';
import { row as file } from './rows/file.js';
import { row as fileDurable } from './rows/fileDurable.js';
import { row as mmap } from './rows/mmap.js';
import { row as mq } from './rows/mq.js';
import { row as msgq } from './rows/msgq.js';
import { row as pipe } from './rows/pipe.js';
import { row as pipeChild } from './rows/pipeChild.js';
import { row as posixshm } from './rows/posixshm.js';
import { row as shm } from './rows/shm.js';
import { row as signal } from './rows/signal.js';
import { row as sysvshm } from './rows/sysvshm.js';
import { row as unix } from './rows/unix.js';
import { row as unixAbstract } from './rows/unixAbstract.js';
import { row as unixgram } from './rows/unixgram.js';
import { row as unixpacket } from './rows/unixpacket.js';

/** Every row. */
export const ROWS: readonly Row[] = [
  file,
  fileDurable,
  pipeChild,
  pipe,
  fifo,
  unix,
  unixAbstract,
  unixpacket,
  unixgram,
  mq,
  msgq,
  anonymous,
  mmap,
  sysvshm,
  posixshm,
  shm,
  signal,
  ...PRIMITIVES.map(rowOf),
];

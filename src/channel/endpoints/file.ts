/**
 * `file:/path/log`: a file on disk, appended by one sender and followed by any number of receivers,
 * each from its beginning. Messages stay for whoever comes later; the end is a mark in the file.
 *
 * - `?sync`: what `flush()` has resolved for is on the disk (fdatasync(2)), as is each single
 *   message with `{ coalesce: false }`
 * - `?raw`: the bytes alone, for programs that know nothing of messages; has no end, like tail -F
 * - `?from=end`: the receiver begins behind what is there already
 * - `?follow=false`: the receiver ends where the file ends, instead of waiting for a mark
 */
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { argumentError, IpcError } from '../../core/errors.js';
import { statusAt } from '../../core/files.js';
import { checkSignal, type WaitOptions } from '../../core/wait.js';
import type { Endpoint } from '../endpoint.js';
import { Followed } from '../file/followed.js';
import type { LogFile } from '../file/logfile.js';
import { openForAppending } from '../file/open.js';
import { RawSource } from '../file/raw.js';
import { scan } from '../file/scan.js';
import { FileSink } from '../file/sink.js';
import { LogSource } from '../file/source.js';
import { type EndpointUrl, flagOption } from '../url.js';

function pathOf(url: EndpointUrl): string {
  if (url.rest !== '') return resolve(url.rest);
  throw argumentError(
    `${url.href} names no file; file:./log or file:/var/log/app is what it looks like`,
    'ERR_INTERPROC_URL',
  );
}

function startsAtEnd(url: EndpointUrl): boolean {
  const from = url.options.get('from') ?? 'start';
  if (from === 'start' || from === 'end') return from === 'end';
  throw argumentError(`${url.href}: from is start or end, got ${JSON.stringify(from)}`, 'ERR_INTERPROC_URL');
}

/** Runs a generator to its end and lets others have a turn at each of its steps. */
async function inTurns<T>(steps: Generator<void, T, void>, options: WaitOptions): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn();
    try {
      checkSignal(options.signal);
    } catch (why) {
      // The generator closes what it has opened.
      steps.return(undefined as T);
      throw why;
    }
  }
}

/** The file on disk. */
export const endpoint: Endpoint = {
  traits: { connected: false, retains: true, bounded: false, multiSender: false },
  options: ['raw', 'sync', 'from', 'follow'],

  async sender(url, options) {
    const path = pathOf(url);
    const settings = {
      raw: flagOption(url, 'raw'),
      sync: flagOption(url, 'sync'),
      coalesce: options.coalesce ?? true,
      temporary: options.temporary ?? false,
    };
    const log = await inTurns(openForAppending(path, settings), options);
    return { half: new FileSink(log, settings) };
  },

  async receiver(url, options) {
    const followed = new Followed(pathOf(url));
    const follow = !url.options.has('follow') || flagOption(url, 'follow');
    const atEnd = startsAtEnd(url);
    const raw = flagOption(url, 'raw');
    try {
      const isThere = followed.open();
      if (!isThere) checkFolder(followed.path, follow);
      const file = followed.file as LogFile;
      if (raw) return { half: new RawSource(followed, atEnd && isThere ? file.size() : 0, follow) };
      const from = atEnd && isThere ? await inTurns(scan(file), options) : undefined;
      return { half: new LogSource(followed, { from, follow, remove: options.temporary ?? true }) };
    } catch (why) {
      followed.close();
      throw why;
    }
  },
};

/** A file that is not there yet is waited for, a folder is not. */
function checkFolder(path: string, follow: boolean): void {
  const folder = dirname(path);
  const found = statusAt(folder);
  if (found === undefined || !follow) throw new IpcError({ code: 'ENOENT', syscall: 'open', path });
}

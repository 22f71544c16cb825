/** What recvmsg(2) tells beside the bytes, read from the words of the addon. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { native } from '../../src/sys/index.js';
import { Answers } from '../../src/unix/answers.js';
import { datagram } from '../../src/unix/index.js';
import { countDescriptors, openPoller } from '../support/descriptors.js';
import { bytes } from './support.js';

const SO_PASSPIDFD = 76;
const MSG_DONTWAIT = 0x40;

test('a pidfd that nobody asked for is closed once, however often the descriptors are asked for', () => {
  openPoller();
  using ends = datagram.pair();
  const before = countDescriptors();
  // Kernels before 6.5 bring none, and then there is none to close.
  native().setsockopt(ends.second.fd, SO_PASSPIDFD, 1);
  const answers = new Answers(1);
  ends.first.sendSync(bytes('x'), { fds: [0] });
  const room = new Uint8Array(1);
  assert.equal(native().recvmsg(ends.second.fd, room, 0, 1, answers.words, answers.names, MSG_DONTWAIT), 1);
  const [fd, ...others] = answers.descriptors(0);
  assert.deepEqual(others, []);
  assert.equal(countDescriptors(), before + 1);
  const file = openSync('/dev/null', 'r');
  assert.deepEqual(answers.descriptors(0), [fd]);
  assert.ok(fstatSync(file).isCharacterDevice());
  closeSync(file);
  closeSync(fd as number);
  assert.equal(countDescriptors(), before);
});

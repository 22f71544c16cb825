import { test } from 'node:test';
import { assertNothingLeaks } from '../support/rounds.js';

test('100,000 times opened and closed leave no descriptor and no memory', (t) => assertNothingLeaks(t, 'mq.open'));

test('10,000 failed openings leave no descriptor and no memory', (t) => assertNothingLeaks(t, 'mq.open fails', 10_000));

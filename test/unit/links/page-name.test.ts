import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isObjectKey } from '../../../node/delivery/object-key.ts';
import { pageName, pagePart, pageParts } from '../../../node/delivery/page-name.ts';
import { MAX_RECORDINGS } from '../../../node/recordings/source.ts';
import { DELIVERED_JOB } from '../../support/delivered.ts';

test('each part of a page has a name of its own, by which it is known again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: pageParts(MAX_RECORDINGS) }), (part) => {
      expect(pagePart(pageName(part))).toBe(part);
      expect(isObjectKey(DELIVERED_JOB, pageName(part))).toBe(true);
    }),
  );
});

test('nothing else is taken for one', () => {
  for (const name of [
    'gravacoes-1.html',
    'gravacoes-0.html',
    'gravacoes-02.html',
    'gravacoes.htm',
    'x.wav',
    '',
  ])
    expect([name, pagePart(name)]).toEqual([name, null]);
  expect([0, 1, 500, 501].map(pageParts)).toEqual([1, 1, 1, 2]);
});

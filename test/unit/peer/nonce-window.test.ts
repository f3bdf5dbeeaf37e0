import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createNonceWindows, MAX_LIVE_NONCES, WINDOW_SIZE } from '../../../node/peer/nonce-window.ts';

describe('a nonce', () => {
  test('is random, and not known before it was offered', () => {
    const windows = createNonceWindows();
    expect(windows.use('', 1)).toBe('unknown-nonce');
    expect(windows.use('guessed', 1)).toBe('unknown-nonce');
    expect(windows.offer()).toMatch(/^[\w-]{22}$/);
    expect(createNonceWindows().offer()).not.toBe(createNonceWindows().offer());
  });

  test('of another process is unknown: what was accepted before a restart is not accepted after it', () => {
    const nonce = createNonceWindows().offer();
    expect(createNonceWindows().use(nonce, 1)).toBe('unknown-nonce');
  });

  test('is the same for all who ask until one uses it, so that asking forgets nobody', () => {
    const windows = createNonceWindows();
    const first = windows.offer();
    for (let asked = 0; asked < 1000; asked += 1) expect(windows.offer()).toBe(first);
    expect(windows.use(first, 1)).toBe('fresh');
    const second = windows.offer();
    expect(second).not.toBe(first);
    expect(windows.use(first, 2)).toBe('fresh');
  });

  test('that was used longest ago makes room for a ninth', () => {
    const windows = createNonceWindows();
    const nonces = Array.from({ length: MAX_LIVE_NONCES }, () => {
      const nonce = windows.offer();
      expect(windows.use(nonce, 1)).toBe('fresh');
      return nonce;
    });
    expect(windows.use(nonces[0]!, 2)).toBe('fresh');
    expect(windows.use(windows.offer(), 1)).toBe('fresh');
    expect(windows.use(nonces[0]!, 3)).toBe('fresh');
    expect(windows.use(nonces[1]!, 2)).toBe('unknown-nonce');
    expect(windows.use(nonces[2]!, 2)).toBe('fresh');
  });
});

describe('a counter', () => {
  test('is accepted once, in whatever order counters come', () => {
    const windows = createNonceWindows();
    const nonce = windows.offer();
    for (const counter of [3, 1, 2, 64, 10]) expect(windows.use(nonce, counter)).toBe('fresh');
    for (const counter of [3, 1, 2, 64, 10]) expect(windows.use(nonce, counter)).toBe('used');
    expect(windows.use(nonce, 65)).toBe('fresh');
  });

  test('is used where it is so far behind that nobody can tell', () => {
    const windows = createNonceWindows();
    const nonce = windows.offer();
    expect(windows.use(nonce, WINDOW_SIZE + 1)).toBe('fresh');
    expect(windows.use(nonce, 1)).toBe('used');
    expect(windows.use(nonce, 2)).toBe('fresh');
  });

  test('that leaps ahead forgets none of those that are still in the window', () => {
    const windows = createNonceWindows();
    const nonce = windows.offer();
    expect(windows.use(nonce, 5)).toBe('fresh');
    expect(windows.use(nonce, WINDOW_SIZE + 4)).toBe('fresh');
    expect(windows.use(nonce, 5)).toBe('used');
    expect(windows.use(nonce, WINDOW_SIZE * 9)).toBe('fresh');
    expect(windows.use(nonce, WINDOW_SIZE * 9)).toBe('used');
    expect(windows.use(nonce, WINDOW_SIZE * 8 + 1)).toBe('fresh');
  });

  test('is accepted exactly where it is new and less than a window behind, for any schedule', () => {
    const counter = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: WINDOW_SIZE - 20, max: WINDOW_SIZE + 20 }),
      fc.integer({ min: 1, max: 4 * WINDOW_SIZE }),
    );
    fc.assert(
      fc.property(fc.array(counter, { maxLength: 200 }), (counters) => {
        const windows = createNonceWindows();
        const nonce = windows.offer();
        const used = new Set<number>();
        let highest = 0;
        for (const each of counters) {
          const isNew = !used.has(each) && each > highest - WINDOW_SIZE;
          expect(windows.use(nonce, each)).toBe(isNew ? 'fresh' : 'used');
          used.add(each);
          highest = Math.max(highest, each);
        }
      }),
    );
  });
});

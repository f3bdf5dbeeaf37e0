import { expect, test } from 'vitest';
import { createSlots } from '../../../node/servers/session-slots.ts';

const { signal } = new AbortController();

test('only so many are in use at once, and those that wait come in turn', async () => {
  const slots = createSlots(2);
  const first = await slots.take(signal);
  const second = await slots.take(signal);
  const order: string[] = [];
  const third = slots.take(signal).then((back) => (order.push('third'), back));
  const fourth = slots.take(signal).then((back) => (order.push('fourth'), back));
  await Promise.resolve();
  expect(order).toEqual([]);
  first();
  (await third)();
  await fourth;
  expect(order).toEqual(['third', 'fourth']);
  second();
});

test('a slot that is given back twice is one slot', async () => {
  const slots = createSlots(1);
  const back = await slots.take(signal);
  back();
  back();
  await slots.take(signal);
  const next = slots.take(signal);
  const nobody = new Promise((resolve) => setImmediate(resolve, 'nobody'));
  expect(await Promise.race([next, nobody])).toBe('nobody');
});

test('who gives up waiting leaves the turn to the next', async () => {
  const slots = createSlots(1);
  const back = await slots.take(signal);
  const impatient = new AbortController();
  const given = slots.take(impatient.signal);
  const next = slots.take(signal);
  impatient.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  back();
  await next;
  await expect(slots.take(AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
});

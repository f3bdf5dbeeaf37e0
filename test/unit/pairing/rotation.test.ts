import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../node/platform/errors.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { hears, pairUp, type Side, type TwoSides, twoSides } from './pairing-support.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let world: TwoSides;

beforeEach(async () => {
  directory = await temporaryDirectory();
  world = await twoSides(directory.path);
  await pairUp(world);
});
afterEach(() => directory[Symbol.asyncDispose]());

const shown = ({ keyring }: Side) => keyring.own().fingerprint;
const lost = (): AppError => new AppError('peer.timeout', 'no answer', { retriable: true });

/** Breaks the n-th call of `pair.join`, before it arrives or on its way back. */
function breakJoin(n: number, moment: 'request' | 'answer'): void {
  let joins = 0;
  world.onCall = (now, _from, method) => {
    if (method !== 'pair.join' || now !== moment) return;
    joins += 1;
    if (joins === n) throw lost();
  };
}

/** Both hear each other, each trusts one certificate and one key of the other, and nothing is left over. */
async function expectSettled(): Promise<void> {
  for (const side of [world.audio, world.audio2]) {
    expect(await hears(side, world)).toBe(true);
    expect(side.keyring.peer()?.certificates).toHaveLength(1);
    expect(side.keyring.peer()?.tokenKeys.size).toBe(1);
    expect((await readdir(side.certsDir)).toSorted()).toEqual(['node.pem', 'peer.json', 'ssh.key']);
  }
}

/** Runs the cycle that takes a rotation on, until it has nothing left to do. */
async function settle(side: Side): Promise<void> {
  const stop = new AbortController();
  const running = side.pairing.run(stop.signal);
  try {
    await eventually('the rotation to be settled', async () => {
      world.clock.advance({ minutes: 1 });
      return (await side.pairing.status()).rotation === 'none';
    });
  } finally {
    stop.abort();
    await running;
  }
}

describe('a rotation', () => {
  test('changes certificate and token key, and the peer trusts the new ones alone', async () => {
    const { audio } = world;
    const before = audio.keyring.own();
    expect(await audio.pairing.rotate()).toMatchObject({ state: 'done' });
    expect(shown(audio)).not.toBe(before.fingerprint);
    expect(audio.keyring.own().tokenKey.kid).not.toBe(before.tokenKey.kid);
    await expectSettled();
    expect(audio.audited.at(-1)).toEqual({ event: 'pair.rotated', certificate: shown(audio) });
    await audio.restart();
    await expectSettled();
  });

  test('keeps calls going at each moment', async () => {
    const { audio, audio2 } = world;
    const heard: boolean[] = [];
    audio.keyring.onChange(() => {
      heard.push(audio2.keyring.peer()?.certificates.includes(audio.keyring.own().certificate) === true);
    });
    audio2.keyring.onChange(() => {
      heard.push(audio2.keyring.peer()?.certificates.includes(audio.keyring.own().certificate) === true);
    });
    await audio.pairing.rotate();
    expect(heard).toEqual([true, true, true]);
  });

  test('of a peer that is away is refused, and nothing is changed', async () => {
    const { audio } = world;
    const before = shown(audio);
    world.linked = false;
    await expect(audio.pairing.rotate()).rejects.toMatchObject({ code: 'pair.peer-away' });
    world.linked = true;
    expect(shown(audio)).toBe(before);
    await expectSettled();
  });

  test('that the peer refuses leaves no new keys behind', async () => {
    const { audio } = world;
    const before = shown(audio);
    world.onCall = (_moment, _from, method) => {
      if (method === 'pair.join') throw new AppError('rpc.unknown-method', 'an older peer');
    };
    await expect(audio.pairing.rotate()).rejects.toMatchObject({ code: 'pair.refused' });
    expect(shown(audio)).toBe(before);
    await expectSettled();
  });

  test('of a node that is not paired is refused', async () => {
    await world.audio.pairing.remove();
    await expect(world.audio.pairing.rotate()).rejects.toMatchObject({ code: 'pair.not-paired' });
  });

  test('of both nodes at once works', async () => {
    const { audio, audio2 } = world;
    const done = await Promise.all([audio.pairing.rotate(), audio2.pairing.rotate()]);
    expect(done.map(({ state }) => state)).toEqual(['done', 'done']);
    await expectSettled();
  });
});

describe('a rotation that breaks', () => {
  test.each([
    ['the announcement does not arrive', 1, 'request', 'pair.unfinished'],
    ['its answer is lost', 1, 'answer', 'pair.unfinished'],
  ] as const)('when %s goes on by itself', async (_, n, moment, code) => {
    const { audio } = world;
    const before = shown(audio);
    breakJoin(n, moment);
    await expect(audio.pairing.rotate()).rejects.toMatchObject({ code });
    expect(shown(audio)).toBe(before);
    expect(await hears(audio, world)).toBe(true);
    expect((await audio.pairing.status()).rotation).toBe('announcing');
    await audio.restart(); // as after a crash there
    expect(await hears(audio, world)).toBe(true);
    await settle(audio);
    expect(shown(audio)).not.toBe(before);
    await expectSettled();
  });

  test.each([['request'], ['answer']] as const)(
    'when the end of it (%s) is lost uses the new keys, and goes on by itself',
    async (moment) => {
      const { audio } = world;
      const before = shown(audio);
      breakJoin(2, moment);
      expect(await audio.pairing.rotate()).toMatchObject({ state: 'retiring' });
      expect(shown(audio)).not.toBe(before);
      expect(await hears(audio, world)).toBe(true);
      await audio.restart();
      expect((await audio.pairing.status()).rotation).toBe('retiring');
      await settle(audio);
      await expectSettled();
    },
  );

  test('goes on when it is asked for again, with the same new keys', async () => {
    const { audio, audio2 } = world;
    breakJoin(1, 'answer');
    await expect(audio.pairing.rotate()).rejects.toThrow();
    const announced = audio.keyring.next()?.fingerprint;
    expect(audio2.keyring.peer()?.certificates).toHaveLength(2);
    expect(await audio.pairing.rotate()).toMatchObject({ state: 'done' });
    expect(shown(audio)).toBe(announced);
    await expectSettled();
  });

  test('ends the old keys a day later, also for a peer that has not been heard of', async () => {
    const { audio, audio2 } = world;
    breakJoin(2, 'request');
    await audio.pairing.rotate();
    expect(audio2.keyring.peer()?.certificates).toHaveLength(2);
    world.clock.advance({ hours: 23, minutes: 59 });
    expect(audio2.keyring.peer()?.certificates).toHaveLength(2);
    world.clock.advance({ minutes: 1 });
    expect(audio2.keyring.peer()?.certificates).toEqual([audio.keyring.own().certificate]);
    expect(await hears(audio, world)).toBe(true);
    await settle(audio);
    const stop = new AbortController();
    const running = audio2.pairing.run(stop.signal);
    await eventually('the record to be shortened', () => audio2.keyring.record()?.certificates.length === 1);
    stop.abort();
    await running;
    await expectSettled();
  });

  test('locks nobody out where the answer was lost and the link stayed cut for more than a day', async () => {
    const { audio, audio2 } = world;
    breakJoin(1, 'answer');
    await expect(audio.pairing.rotate()).rejects.toThrow();
    world.linked = false;
    world.clock.advance({ hours: 30 });
    expect(audio2.keyring.peer()?.certificates).toEqual([audio.keyring.next()?.certificate]);
    await audio.restart();
    world.linked = true;
    expect(await hears(audio, world)).toBe(false);
    await settle(audio);
    await expectSettled();
  });

  test('goes back to the keys it had where the peer trusts neither', async () => {
    const { audio, audio2 } = world;
    const before = shown(audio);
    breakJoin(1, 'request');
    await expect(audio.pairing.rotate()).rejects.toThrow();
    world.clock.advance({ hours: 30 });
    await audio2.pairing.remove();
    await expect(audio.pairing.rotate()).rejects.toMatchObject({ code: 'pair.unfinished' });
    expect(shown(audio)).toBe(before);
  });
});

test('removing the peer ends a rotation', async () => {
  breakJoin(1, 'answer');
  await expect(world.audio.pairing.rotate()).rejects.toThrow();
  await world.audio.pairing.remove();
  expect((await readdir(world.audio.certsDir)).toSorted()).toEqual(['node.pem', 'ssh.key']);
});

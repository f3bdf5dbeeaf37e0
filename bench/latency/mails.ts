import { setTimeout as sleep } from 'node:timers/promises';
import { type Stages, stagesOf, watchSpool } from './stages.ts';
import { SMALL_REQUEST, type World } from './world.ts';

/** Between two mails of the first measurement: what the last one left to do is then done. */
const PAUSE_MS = 200;

export interface SingleMail {
  readonly confirmationMs: number;
  readonly resultMs: number;
  /** Until the mail has its flags, beside the confirmation. */
  readonly flaggedMs: number;
  readonly stages: Stages | null;
}

/** Requests one at a time, each of which finds one recording: from EXISTS to the 250 for each answer. */
export async function oneByOne(world: World, count: number): Promise<SingleMail[]> {
  using spool = watchSpool(world.node.stateDir);
  const measured: SingleMail[] = [];
  for (let number = 1; number <= count; number += 1) {
    const [messageId = ''] = await world.request(1, SMALL_REQUEST);
    const existsMs = await world.existsMs(number);
    const confirmation = await world.answer(messageId, 'confirmation');
    const result = await world.answer(messageId, 'result');
    const stored = world.imap.events.find(({ atMs, what }) => atMs >= existsMs && what === 'UID STORE done');
    measured.push({
      confirmationMs: confirmation.repliedMs - existsMs,
      resultMs: result.repliedMs - existsMs,
      flaggedMs: (stored?.atMs ?? Number.NaN) - existsMs,
      stages: stagesOf(existsMs, world.imap, spool, confirmation),
    });
    await sleep(PAUSE_MS);
  }
  return measured;
}

export interface Burst {
  /** From the first EXISTS to the last 250. */
  readonly confirmedMs: number;
  readonly answeredMs: number;
  /** The same from when the first of them was handed to the mail server. */
  readonly confirmedSinceSentMs: number;
  /** Until they all lay in the mailbox. */
  readonly deliveredMs: number;
}

/** As many requests at once, after `before` others. */
export async function burst(world: World, before: number, count: number): Promise<Burst> {
  const begunMs = performance.now();
  const messageIds = await world.request(count, SMALL_REQUEST);
  const deliveredMs = performance.now() - begunMs;
  const existsMs = await world.existsMs(before + 1);
  const last = async (kind: 'confirmation' | 'result'): Promise<number> => {
    const answers = await Promise.all(messageIds.map((messageId) => world.answer(messageId, kind)));
    return Math.max(...answers.map(({ repliedMs }) => repliedMs));
  };
  const confirmedMs = await last('confirmation');
  return {
    confirmedMs: confirmedMs - existsMs,
    answeredMs: (await last('result')) - existsMs,
    confirmedSinceSentMs: confirmedMs - begunMs,
    deliveredMs,
  };
}

import { describe, expect, test } from 'vitest';
import type { Grammar } from '../../../node/ingest/arrival.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createWorld, grammar, type World, type WorldOptions } from '../../support/ingest-world.ts';
import { mailSource } from '../../support/mails.ts';
import { createMemoryAcceptor } from '../../support/memory-acceptor.ts';
import { createMemoryMailbox, type MemoryMailbox } from '../../support/memory-mailbox.ts';
import { createMemorySpace, type MemorySpace } from '../../support/memory-space.ts';
import { eventually } from '../../support/process.ts';

/** A first word is a command; RAMAIS as the grammar of the world has it. */
const words: Grammar = {
  parse: (subject) =>
    subject.startsWith('RAMAIS=') || subject === ''
      ? grammar.parse(subject)
      : { ok: true, command: { keyword: subject }, params: {}, lane: 'replies', source: null },
};

interface LowWorld extends World {
  readonly mailbox: MemoryMailbox;
  readonly space: MemorySpace;
  /** Delivers a mail with this subject; gives what became of it. */
  ask(subject: string): Promise<string>;
}

async function world(change: Partial<WorldOptions> = {}): Promise<LowWorld> {
  const clock = fixedClock();
  const mailbox = createMemoryMailbox(clock.now);
  const space = createMemorySpace();
  const made = await createWorld({ mailbox, clock, space, grammar: words, ...change });
  made.start();
  let count = 0;
  const ask = async (subject: string): Promise<string> => {
    count += 1;
    const uid = mailbox.deliver(mailSource({ subject, messageId: `<${count}@example.test>` }));
    const event = await eventually(`${subject} to be dealt with`, () =>
      made.audit.find((one) => one['uid'] === uid),
    );
    return event.event;
  };
  return Object.assign(made, { mailbox, space, ask });
}

describe('a mail that comes while the disk has too little room', () => {
  test('asks for recordings in vain, is told so at once, and gets its own subject to send again', async () => {
    await using it = await world();
    it.space.leave(0.99);
    expect(await it.ask('RAMAIS=1121')).toBe('mail.refused');
    expect(it.acceptor.jobs).toMatchObject([
      {
        lane: 'replies',
        request: { command: 'RECUSA', params: { reason: 'faults' }, subject: 'RAMAIS=1121' },
        details: {
          faults: [{ field: 'SYSTEM', code: 'disk-low', values: { command: 'RAMAIS' } }],
          corrected: 'RAMAIS=1121',
        },
      },
    ]);
    it.space.leave(1);
    expect(await it.ask('RAMAIS=1121')).toBe('mail.accepted');
  });

  test('asks for what makes no files, and gets it until the disk is almost full', async () => {
    await using it = await world();
    it.space.leave(0.25);
    expect(await it.ask('CHECKIP')).toBe('mail.accepted');
    expect(await it.ask('REENVIAR')).toBe('mail.refused');
    it.space.leave(0.24);
    for (const keyword of ['CHECKIP', 'MACCHANGE', 'WHITELIST']) {
      expect(await it.ask(keyword)).toBe('mail.refused');
    }
    for (const keyword of ['AJUDA', 'STATUS', 'FILA', 'CANCELAR']) {
      expect(await it.ask(keyword)).toBe('mail.accepted');
    }
  });

  test('asks for recordings that the other node has, which take no room here', async () => {
    const forwards: Grammar = {
      parse: (subject) => {
        const parsed = words.parse(subject);
        return parsed.ok ? { ...parsed, lane: 'forward', source: 's3' } : parsed;
      },
    };
    await using it = await world({ grammar: forwards });
    it.space.leave(0.9);
    expect(await it.ask('RAMAIS=1121')).toBe('mail.accepted');
    it.space.leave(0.2);
    expect(await it.ask('RAMAIS=1121')).toBe('mail.refused');
  });

  test('has other faults, and is told of these', async () => {
    await using it = await world();
    it.space.leave(0.1);
    await it.ask('');
    expect(it.acceptor.jobs[0]?.details['faults']).toMatchObject([{ code: 'no-command' }]);
  });
});

describe('a crash between the job and its entry in the ledger', () => {
  test.each([
    ['refused', 0.5, 2, 'mail.refused'],
    ['accepted', 2, 0.5, 'mail.accepted'],
  ])('leaves a mail %s, whatever room there is afterwards', async (_, before, after, event) => {
    const acceptor = createMemoryAcceptor();
    acceptor.diskFullAfterNext();
    await using it = await world({ acceptor });
    it.space.leave(before);
    const uid = it.mailbox.deliver(mailSource({ subject: 'RAMAIS=1121' }));
    await eventually('the job', () => acceptor.jobs.length === 1);
    await it.stop();
    acceptor.failWith(null);
    it.space.leave(after);
    const second = await it.restart();
    await using _again = second;
    second.start();
    const told = await eventually('the mail to be dealt with', () =>
      second.audit.find((one) => one['uid'] === uid),
    );
    expect(told.event).toBe(event);
    expect(acceptor.jobs).toHaveLength(1);
  });
});

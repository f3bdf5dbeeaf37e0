import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../protocol/job.ts';
import type { People } from '../../../node/access/people.ts';
import { createRamais } from '../../../node/commands/ramais.ts';
import { createRamaisGrammar } from '../../../node/commands/ramais-grammar.ts';
import { createDeliveryStore } from '../../../node/delivery/delivery-store.ts';
import { handedOver } from '../../../node/forward/forward-origin.ts';
import type { Forwarder } from '../../../node/forward/forwarder.ts';
import { silentLog } from '../../../node/platform/log.ts';
import type { RecordingSource } from '../../../node/recordings/source.ts';
import { recordingName, wav } from '../../support/audio.ts';
import { attemptedJob } from '../../support/attempted-job.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';
import { createMemorySource } from '../../support/memory-source.ts';
import { eventually, temporaryDirectory } from '../../support/process.ts';
import { OPTIONS } from './grammar-support.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';

const { signal } = new AbortController();
const NAME = recordingName('1121', '2000', '20260301-090000');
const LINK_HOURS = 2;

/** A job RAMAIS that can be attempted again and again; `onPut` is called at the first object of each delivery. */
async function setup({
  steps = {},
  source = {},
  ...changes
}: {
  forwarder?: Forwarder | null;
  people?: Pick<People, 'find'>;
  steps?: Job['steps'];
  source?: Partial<RecordingSource>;
} = {}) {
  const temporary = await temporaryDirectory();
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock);
  const directory = join(temporary.path, 'deliveries');
  const deliveries = createDeliveryStore({ directory, publisher, log: silentLog });
  const made = newJob('a job');
  const { id, request } = made;
  const { now, context } = attemptedJob(made, clock, steps);
  const texts: string[] = [];
  const audit = createMemoryAudit();
  const events = { puts: 0, mails: 0, onPut: async (): Promise<void> => undefined, mailServerIsAway: false };
  const slow = {
    ...publisher,
    put: async (...parameters: Parameters<typeof publisher.put>) => {
      if (parameters[0].disposition === 'attachment') events.puts += 1;
      await events.onPut();
      return publisher.put(...parameters);
    },
  };
  const command = createRamais({
    ...{ forwarder: null, people: { find: () => null }, ...changes },
    grammar: createRamaisGrammar({ ...OPTIONS, clock }),
    sources: new Map([['audio', { ...createMemorySource({ [NAME]: wav(1000) }), ...source }]]),
    publisher: slow,
    deliveries,
    archiving: { level: 0, maxBytes: 1_000_000_000, maxFiles: 1_000 },
    answers: {
      send: async (_job, _context, kind, mail) => {
        texts.push(mail.text);
        if (kind === 'confirmation') {
          events.mails += 1;
          return;
        }
        if (events.mailServerIsAway) throw new Error('away');
        await context.step('mail:result', {
          happened: async () => null,
          perform: async () => (events.mails += 1),
        });
      },
    },
    audit,
    clock,
    timeZone: 'America/Sao_Paulo',
    linkHours: LINK_HOURS,
  });
  return {
    ...{ clock, publisher, deliveries, events, texts, id, audit },
    command,
    work: () => command.work(now(), command.schema.parse(request.params), context),
    confirm: (details: Job['details'], lane: Job['lane'] = 'recordings') =>
      command.confirm?.({ ...now(), details, lane }, command.schema.parse(request.params), context),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

describe('somebody who is limited to servers', () => {
  const limited = { address: 'pessoa@example.com', role: 'consulta', extensions: null, added: null } as const;
  const people = { find: () => ({ ...limited, servers: ['gv1p'] }) };
  const found = { recordings: [], unreadable: [] };
  const source = (narrowedByServer: boolean) => ({ find: async () => ({ ...found, narrowedByServer }) });

  test('gets nothing of a place where recordings do not tell servers apart', async () => {
    await using made = await setup({ people, source: source(false) });
    await expect(made.work()).rejects.toMatchObject({ code: 'access.not-narrowed' });
    await using removed = await setup({ people: { find: () => null }, source: source(false) });
    await expect(removed.work()).rejects.toMatchObject({ code: 'access.not-permitted' });
    expect(made.events.puts).toBe(0);
  });

  test('is not told beforehand how much there is of all servers', async () => {
    const measure = async () => ({ count: 132, bytes: 155_189_248 });
    await using made = await setup({ people, source: { measure } });
    await made.confirm({});
    expect(made.events.mails).toBe(1);
    expect(made.texts[0]).not.toContain('132');
  });

  test('gets what the search has narrowed to their server', async () => {
    await using made = await setup({ people, source: source(true) });
    expect((await made.work()).kind).toBe('nothing-found');
  });
});

describe('the delivery of a RAMAIS', () => {
  test('counts the hours of its links from when it is complete', async () => {
    await using made = await setup();
    made.events.onPut = async () => made.clock.advance({ minutes: 20 });
    expect((await made.work()).kind).toBe('done');
    const delivery = await made.deliveries.read(made.id);
    expect(delivery?.expiresAt).toBe(made.clock.now().add({ hours: LINK_HOURS }).toString());
  });

  test('is not swept while it goes on, however long that takes', async () => {
    await using made = await setup();
    made.events.onPut = async () => {
      made.clock.advance({ hours: LINK_HOURS });
      await made.deliveries.sweepExpired(made.clock.now(), signal);
    };
    await made.work();
    expect(made.publisher.objects.size).toBe(2);
    expect(await made.deliveries.read(made.id)).not.toBeNull();
  });

  test('is made anew where its mail goes out so late that less than half of the time is left', async () => {
    await using made = await setup();
    made.events.mailServerIsAway = true;
    await expect(made.work()).rejects.toThrow('away');
    made.clock.advance({ minutes: LINK_HOURS * 30 });
    await expect(made.work()).rejects.toThrow('away');
    expect(made.events.puts).toBe(1);
    made.clock.advance({ minutes: 1 });
    made.events.mailServerIsAway = false;
    await made.work();
    expect(made.events).toMatchObject({ puts: 2, mails: 1 });
    const delivery = await made.deliveries.read(made.id);
    expect(delivery?.expiresAt).toBe(made.clock.now().add({ hours: LINK_HOURS }).toString());
  });

  test('stands once its mail has gone out, also where the job is taken up again later', async () => {
    await using made = await setup();
    await made.work();
    made.clock.advance({ minutes: LINK_HOURS * 45 });
    await made.work();
    expect(made.events).toMatchObject({ puts: 1, mails: 1 });
  });
});

describe('the audit log of a RAMAIS', () => {
  test('has each recording with its size, the ZIP, and that links were made; never the links', async () => {
    await using made = await setup();
    await made.work();
    expect(made.audit.events).toEqual([
      {
        ...{ event: 'recordings.delivered', job: made.id, source: 'audio', part: 1, parts: 1 },
        delivered: [{ key: NAME, size: 1000 }],
        zips: [{ name: expect.stringMatching(/\.zip$/), size: expect.any(Number) }],
      },
      expect.objectContaining({ event: 'links.made', job: made.id, recordings: 1, publisher: 'web' }),
    ]);
    expect(JSON.stringify(made.audit.events)).not.toContain('://');
  });

  test('has them in entries of at most 200 recordings', async () => {
    const names = Array.from({ length: 401 }, (_, n) => NAME.replace('.wav', `${n}.wav`));
    const source = createMemorySource(Object.fromEntries(names.map((name) => [name, wav(100)])));
    await using made = await setup({ source });
    await made.work();
    const delivered = made.audit.events
      .filter(({ event }) => event === 'recordings.delivered')
      .map((event) => event['delivered'] as readonly { key: string }[]);
    expect(delivered.map(({ length }) => length)).toEqual([200, 200, 1]);
    expect(new Set(delivered.flat().map(({ key }) => key)).size).toBe(401);
  });

  test('has the links once, also where the job is taken up again after its mail was begun', async () => {
    await using made = await setup();
    await made.work();
    made.clock.advance({ minutes: 1 });
    await made.work();
    expect(made.audit.events.filter(({ event }) => event === 'links.made')).toHaveLength(1);
  });
});

describe('a RAMAIS for a source that this node does not serve', () => {
  const fields = [
    { key: 'RAMAIS', value: '1121' },
    { key: 'INICIO', value: '01/03/2026' },
    { key: 'FIM', value: '01/03/2026' },
    { key: 'AUDIOS_FROM', value: 's3' },
  ];

  test('is refused by a node alone', async () => {
    await using made = await setup();
    const parsed = made.command.parse(fields);
    expect(parsed).toMatchObject({
      ok: false,
      faults: [{ field: 'AUDIOS_FROM', code: 'source-not-served' }],
    });
  });

  test('is forwarded where there is a peer, and one that is served here is not', async () => {
    await using made = await setup({ forwarder: {} as Forwarder });
    const routed = [fields, fields.slice(0, 3)].map((given) => {
      const parsed = made.command.parse(given);
      return parsed.ok ? made.command.route(parsed.params) : null;
    });
    expect(routed).toEqual([
      { lane: 'forward', source: 's3' },
      { lane: 'recordings', source: 'audio' },
    ]);
  });
});

test('what was handed over is neither repeated nor told as failed by a node that no longer has a peer', async () => {
  const at = '2026-03-02T11:00:00Z';
  const submit = { intentAt: at, doneAt: at, result: { way: 'rpc', position: 1 } };
  await using made = await setup({ steps: { submit } });
  expect((await made.work()).kind).toBe('delivered');
  expect(made.events).toMatchObject({ puts: 0, mails: 0 });
});

test('a job that the peer handed over is not confirmed again', async () => {
  await using made = await setup();
  await made.confirm(handedOver('audio2'));
  expect(made.events.mails).toBe(0);
  await made.confirm({});
  expect(made.events.mails).toBe(1);
});

describe('the confirmation of a RAMAIS', () => {
  test('says how many recordings there are, and how large', async () => {
    await using made = await setup({ source: { measure: async () => ({ count: 132, bytes: 155_189_248 }) } });
    await made.confirm({});
    expect(made.texts[0]).toContain('Encontramos 132 gravações (148,0 MB).');
  });

  test('goes without them where telling them takes long', async () => {
    const never = Promise.withResolvers<never>();
    await using made = await setup({ source: { measure: () => never.promise } });
    const confirmed = made.confirm({});
    await eventually('the confirmation to go out', () => {
      made.clock.advance({ seconds: 1 });
      return made.events.mails === 1;
    });
    await confirmed;
    expect(made.events.mails).toBe(1);
  });

  test('says what the peer said where that has the recordings', async () => {
    const placement = async () => ({ position: 2, measured: { count: 3, bytes: 4_000_000 } });
    const forwarder = { placement, confirmed: () => undefined } as unknown as Forwarder;
    await using made = await setup({ forwarder });
    await made.confirm({}, 'forward');
    expect(made.texts[0]).toMatch(/3 gravações/);
  });
});

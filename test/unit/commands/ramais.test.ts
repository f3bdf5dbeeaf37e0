import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../protocol/job.ts';
import type { People } from '../../../node/access/people.ts';
import { createRamais } from '../../../node/commands/ramais.ts';
import { createRamaisGrammar } from '../../../node/commands/ramais-grammar.ts';
import { openDeliveries } from '../../../node/delivery/open-deliveries.ts';
import { handedOver } from '../../../node/forward/forward-origin.ts';
import type { Forwarder } from '../../../node/forward/forwarder.ts';
import { createNodeLinks } from '../../../node/links/node-links.ts';
import { createPresignedLinks } from '../../../node/links/presigned-links.ts';
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
  answeredBy = 'node',
  door = 'mail',
  ...changes
}: {
  door?: Job['door'];
  /** Who answers links: this node, or the bucket that results are published into. */
  answeredBy?: 'node' | 'bucket';
  forwarder?: Forwarder | null;
  people?: Pick<People, 'find'>;
  steps?: Job['steps'];
  source?: Partial<RecordingSource>;
} = {}) {
  const temporary = await temporaryDirectory();
  const clock = fixedClock();
  const publisher = createMemoryPublisher(clock, { kind: answeredBy === 'node' ? 'web' : 's3' });
  const presignedHours = answeredBy === 'node' ? null : LINK_HOURS;
  const stateDir = temporary.path;
  const webRoot = join(stateDir, 'web');
  const deliveries = await openDeliveries({
    ...{ stateDir, webRoot, presignedHours, publisher, clock, log: silentLog },
  });
  const publicUrl = 'https://gravacoes.example.com';
  const links =
    publisher.presign === null
      ? createNodeLinks({ nodeId: 'audio', linkKey: Buffer.alloc(32, 9), publicUrl })
      : createPresignedLinks(publisher.presign);
  const made = newJob('a job', { door });
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
    ...{ deliveries, links, transcoder: null, space: async () => null },
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
    [Symbol.asyncDispose]: async () => {
      deliveries.close();
      await temporary[Symbol.asyncDispose]();
    },
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

  test('is made anew where it was swept while it went on, by a clock that was set right', async () => {
    await using made = await setup();
    let isSet = false;
    made.events.onPut = async () => {
      if (isSet || made.publisher.objects.size === 0) return;
      isSet = true;
      made.clock.advance({ hours: 24 * 365 });
      await made.deliveries.sweepExpired(made.clock.now(), signal);
    };
    await expect(made.work()).rejects.toMatchObject({ code: 'delivery.unavailable', retriable: true });
    expect((await made.work()).kind).toBe('done');
    expect(made.publisher.objects.size).toBe(2);
    expect(made.events.mails).toBe(1);
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

describe('a delivery that was taken back before its mail went out', () => {
  test('is not made again for the same job, and nobody gets links', async () => {
    await using made = await setup();
    made.events.mailServerIsAway = true;
    await expect(made.work()).rejects.toThrow('away');
    await made.deliveries.revoke(made.id, signal);
    made.events.mailServerIsAway = false;
    const again = made.work();
    await expect(again).rejects.toMatchObject({ code: 'delivery.revoked', retriable: false });
    expect(made.events).toMatchObject({ puts: 1, mails: 0 });
    expect(made.publisher.objects.size).toBe(0);
  });

  test('is not made anew either where its links have grown old meanwhile', async () => {
    await using made = await setup();
    made.events.mailServerIsAway = true;
    await expect(made.work()).rejects.toThrow('away');
    await made.deliveries.revoke(made.id, signal);
    made.clock.advance({ minutes: LINK_HOURS * 45 });
    await expect(made.work()).rejects.toMatchObject({ code: 'delivery.revoked' });
    expect(made.events.puts).toBe(1);
  });
});

describe('a delivery that is taken back while its page is put beside it', () => {
  test('leaves nothing in the bucket, and nobody gets links', async () => {
    await using made = await setup({ answeredBy: 'bucket' });
    made.events.onPut = async () => {
      if (made.deliveries.summary(made.id)?.state === 'open') await made.deliveries.revoke(made.id, signal);
    };
    await expect(made.work()).rejects.toMatchObject({ code: 'delivery.revoked', retriable: false });
    expect([...made.publisher.objects.keys()]).toEqual([]);
    expect(made.events.mails).toBe(0);
  });
});

describe('the page of a RAMAIS', () => {
  test('is one that the node makes when it is opened: nothing more is published', async () => {
    await using made = await setup();
    await made.work();
    expect(made.texts[0]).toMatch(/https:\/\/gravacoes\.example\.com\/d\/audio\/\w+\/gravacoes\.html\?e=/);
    expect([...made.publisher.objects.keys()].filter((key) => key.endsWith('.html'))).toEqual([]);
    expect(made.deliveries.summary(made.id)?.about).toMatchObject({ extensions: ['1121'], source: 'audio' });
  });

  test('lies in the bucket before the mail names it, where the bucket answers links', async () => {
    await using made = await setup({ answeredBy: 'bucket' });
    made.events.mailServerIsAway = true;
    await expect(made.work()).rejects.toThrow('away');
    const key = `${made.id}/gravacoes.html`;
    expect(made.publisher.objects.get(key)?.content.toString()).toContain('<audio');
    made.events.mailServerIsAway = false;
    await made.work();
    const [url = ''] = /http:\S+gravacoes\.html\S+/.exec(made.texts.at(-1) ?? '') ?? [];
    expect(made.publisher.open(url)).toMatchObject({ status: 200, object: { key } });
  });
});

describe('what is near a search that found nothing', () => {
  const near = { startedAt: '2026-02-20T10:00:00', origin: '1121', destination: '2000' };
  const nothing = async () => ({ recordings: [], unreadable: [], narrowedByServer: null });
  const person = { address: 'pessoa@example.com', role: 'consulta', extensions: null, added: null } as const;
  const asking = async (servers: string[] | null, known = true, door: Job['door'] = 'mail') => {
    let asked = 0;
    const nearby = async () => {
      asked += 1;
      return { extensions: [{ extension: '1121', before: near, after: null }], days: null };
    };
    const people = { find: () => (known ? { ...person, servers } : null) };
    await using made = await setup({ people, door, source: { find: nothing, nearby } });
    expect((await made.work()).kind).toBe('nothing-found');
    return { asked, text: made.texts[0] ?? '' };
  };

  test('is told to who may know what there is of all servers', async () => {
    const { asked, text } = await asking(null);
    expect(asked).toBe(1);
    expect(text).toContain('20/02/2026');
  });

  test('is not even asked for where they are limited to some, or not known any more', async () => {
    expect((await asking(['gv1p'])).asked).toBe(0);
    expect((await asking(null, false)).asked).toBe(0);
  });

  test('is told to whom an operator has it searched for, but not to who is limited to some', async () => {
    expect((await asking(null, false, 'control')).asked).toBe(1);
    expect((await asking(['gv1p'], true, 'control')).asked).toBe(0);
  });

  test('is not asked for where something was found', async () => {
    const nearby = async (): Promise<never> => {
      throw new Error('asked');
    };
    await using made = await setup({ source: { nearby } });
    expect((await made.work()).kind).toBe('done');
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
      expect.objectContaining({
        ...{ event: 'links.made', job: made.id, to: 'maria@example.com', kind: 'node', publisher: 'web' },
        ...{ recordings: 1, pages: 1 },
      }),
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

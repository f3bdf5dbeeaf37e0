import { beforeEach, describe, expect, test } from 'vitest';
import { createPermission, type Permission } from '../../../node/commands/permission.ts';
import type { AuditEvent } from '../../../node/audit.ts';
import { createRamaisGrammar } from '../../../node/commands/ramais-grammar.ts';
import { createDropAdmission } from '../../../node/ingest/drop-admission.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { digestOf } from '../../../node/queue/job-file.ts';
import type { Job, SourceName } from '../../../protocol/job.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { pairedDocuments } from '../../support/forward-world.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryAcceptor, type MemoryAcceptor } from '../../support/memory-acceptor.ts';
import { letsIn, memoryPeople, ROLE_COMMANDS } from '../../support/memory-access-store.ts';
import { OPTIONS, ramais } from '../commands/grammar-support.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';
import { createMemorySpace, type MemorySpace } from '../../support/memory-space.ts';

const document = {
  request_id: '20251111_150122_req001',
  timestamp_received: '2025-11-11 15:01:22',
  from_email: 'user@example.com',
  status: 'pending',
  retries: 0,
  parameters: {
    ramais: '1121,1122',
    inicio: '29/09/2025 00:00',
    fim: '27/10/2025 23:59',
    email: 'user@example.com',
  },
};

const clock = fixedClock();
const documents = pairedDocuments(clock);
let acceptor: MemoryAcceptor;
let audit: AuditEvent[];
let ledger: Map<string, string>;
let space: MemorySpace;

beforeEach(() => {
  space = createMemorySpace();
  acceptor = createMemoryAcceptor();
  audit = [];
  ledger = new Map();
});

interface Setting {
  readonly serves?: SourceName;
  readonly forwards?: boolean;
  readonly hasPeer?: boolean;
  readonly permission?: Permission;
}

/** The admission of node `audio`, which serves the disk and would forward all else. */
function admission({
  serves = 'audio',
  forwards = true,
  hasPeer = true,
  permission = letsIn('user@example.com', 'maria@example.com'),
}: Setting = {}) {
  const grammar = createRamaisGrammar({ ...OPTIONS, clock });
  const route = (params: unknown): { lane: Job['lane']; source: SourceName } => {
    const source = grammar.resolveSource(grammar.schema.parse(params));
    return { lane: source === serves ? 'recordings' : 'forward', source };
  };
  const touches = (params: unknown) => {
    return { extensions: grammar.schema.parse(params).extensions, servers: null };
  };
  return createDropAdmission({
    registry: { get: () => ({ ...ramais, parse: grammar.parse, route, touches }) },
    permission,
    acceptor,
    spool: { stateOf: (id) => (acceptor.jobs.some((one) => one.id === id) ? 'pending' : undefined) },
    ledger: {
      accepted: (id) => (ledger.has(id) ? { digest: '' } : null),
      append: async ({ job, outcome }) => {
        ledger.set(job, outcome);
      },
    },
    audit: createMemoryAudit(audit),
    space,
    sources: new Set([serves]),
    documents: hasPeer ? documents.audio : null,
    forwards,
  });
}

const admit = (dropped: unknown, setting?: Setting): Promise<string> =>
  admission(setting)(Buffer.from(JSON.stringify(dropped)), dropped);
const commands = (): string[] => acceptor.jobs.map(({ request }) => request.command);

describe('a dropped document that the spool does not take', () => {
  test.each([
    ['spool.conflict', 'drop.refused'],
    ['spool.unwritable', 'spool.unwritable'],
  ])('by %s is %s: moved aside where it never will be, tried again where it may', async (code, told) => {
    acceptor.failWith(new AppError(code, 'as the test wants it'));
    await expect(admit(document)).rejects.toMatchObject({ code: told });
  });
});

describe('an old document', () => {
  test('is a job of this node, which confirms it as any other', async () => {
    await admit(document);
    expect(acceptor.jobs[0]).toMatchObject({ door: 'drop', lane: 'recordings', details: {} });
    expect(audit).toMatchObject([{ event: 'drop.accepted', from: 'user@example.com' }]);
  });

  test('for recordings that the peer has goes on to it, but not to one that may have dropped it here', async () => {
    const forPeer = { ...document, parameters: { ...document.parameters, audios_from: 's3' } };
    await admit(forPeer);
    expect(acceptor.jobs[0]).toMatchObject({ lane: 'forward', source: 's3' });
    acceptor = createMemoryAcceptor();
    await expect(admit(forPeer, { forwards: false })).rejects.toMatchObject({ code: 'drop.refused' });
    expect(acceptor.jobs[0]).toMatchObject({ request: { command: 'AVISO' } });
    expect(acceptor.jobs[0]?.details['reason']).toBe('drop-elsewhere');
  });
});

describe('a document that the disk has no room for', () => {
  test('is refused to its requester, with its own subject to send again, and is done with', async () => {
    space.leave(0.9);
    expect(await admit(document)).toBe('refused SYSTEM disk-low; user@example.com is told');
    const [refusal] = acceptor.jobs;
    expect(refusal).toMatchObject({
      request: { command: 'RECUSA', params: { reason: 'faults' }, requester: 'user@example.com' },
      details: { faults: [{ field: 'SYSTEM', code: 'disk-low' }], corrected: refusal?.request.subject },
    });
    expect([...ledger.values()]).toEqual(['refused']);
  });

  test('is a job all the same where the recordings are the peer’s', async () => {
    space.leave(0.9);
    await admit({ ...document, parameters: { ...document.parameters, audios_from: 's3' } });
    expect(acceptor.jobs).toMatchObject([{ lane: 'forward' }]);
  });

  test('is a duplicate where its job was accepted before', async () => {
    await admit(document);
    space.leave(0.1);
    expect(await admit(document)).toMatch(/^duplicate/);
    expect(commands()).toEqual(['RAMAIS']);
  });
});

describe('a document by which the peer hands a job over', () => {
  /** Handed over by audio2. */
  function job(request: Partial<Job['request']> = {}, more: Partial<Job> = {}): Job {
    const made = newJob('a');
    const whole = { ...made.request, ...request };
    return {
      ...made,
      request: whole,
      digest: digestOf(whole),
      acceptedAt: '2026-03-02T12:00:07Z',
      ...more,
    } as Job;
  }
  const dropped = async (one: Job): Promise<typeof document & { parelha: Record<string, unknown> }> =>
    JSON.parse(Buffer.from(await documents.audio2.print(one)).toString()) as never;

  test('is that job: the same id and request, and known as the peer’s', async () => {
    const one = job();
    expect(await admit(await dropped(one))).toMatch(/^accepted .*handed over by audio2$/);
    expect(acceptor.jobs[0]).toMatchObject({
      ...{ id: one.id, request: one.request, door: 'drop', lane: 'recordings', source: 'audio' },
      details: { handedOverBy: 'audio2' },
    });
    expect(ledger.get(one.id)).toBe('accepted');
  });

  test('is one job with the call that came before it, and dropped twice it is one as well', async () => {
    const one = job();
    await acceptor.accept({ ...newJob('a'), door: 'rpc' });
    expect(await admit(await dropped(one))).toMatch(/^duplicate/);
    expect(await admit(await dropped(one))).toMatch(/^duplicate/);
    expect(acceptor.jobs).toHaveLength(1);
  });

  test('is never handed back: for another source it is moved aside, and the admin is told', async () => {
    const params = { ...newJob('a').request.params, audiosFrom: 's3' };
    const elsewhere = await dropped(job({ params }, { source: 's3' }));
    await expect(admit(elsewhere)).rejects.toMatchObject({ code: 'drop.refused' });
    expect(commands()).toEqual(['AVISO']);
  });

  test('is told to its requester where it is past the limits here, under an id of its own', async () => {
    const one = job({ params: { ...newJob('a').request.params, start: '2025-01-01T00:00:00' } });
    expect(await admit(await dropped(one))).toMatch(/^refused FIM range-too-long/);
    expect(commands()).toEqual(['RECUSA']);
    expect(acceptor.jobs[0]?.id).not.toBe(one.id);
  });

  test('is refused under an id of its own where the disk has no space: a call may yet come', async () => {
    space.leave(0.9);
    const one = job();
    expect(await admit(await dropped(one))).toMatch(/^refused SYSTEM disk-low/);
    expect(commands()).toEqual(['RECUSA']);
    expect(ledger.has(one.id)).toBe(false);
  });

  test('is that of the call before it, though the disk has no room now and had none for the ledger then', async () => {
    space.leave(0.9);
    await acceptor.accept({ ...newJob('a'), door: 'rpc' });
    expect(await admit(await dropped(job()))).toMatch(/^duplicate/);
    expect(commands()).toEqual(['RAMAIS']);
  });

  test('for somebody who may not ask here is moved aside', async () => {
    await expect(admit(await dropped(job({ requester: 'eva@example.com' })))).rejects.toThrow(/whitelist/);
    expect(commands()).toEqual(['AVISO']);
  });

  const larger: [string, (one: Awaited<ReturnType<typeof dropped>>) => unknown][] = [
    ['fewer extensions', (one) => ({ ...one, parameters: { ...one.parameters, ramais: '3010' } })],
    ['a later start', (one) => ({ ...one, parameters: { ...one.parameters, inicio: '01/03/2026 09:00' } })],
    ['an earlier end', (one) => ({ ...one, parameters: { ...one.parameters, fim: '01/03/2026 17:00' } })],
    [
      'another requester',
      (one) => ({
        ...one,
        from_email: 'user@example.com',
        parameters: { ...one.parameters, email: 'user@example.com' },
      }),
    ],
    ['another sender', (one) => ({ ...one, from_email: 'user@example.com' })],
    ['another source', (one) => ({ ...one, parameters: { ...one.parameters, audios_from: 's3' } })],
    ['a server', (one) => ({ ...one, parameters: { ...one.parameters, server: 'gv2p' } })],
  ];
  test.each(larger)('is moved aside where its old fields say %s', async (_what, change) => {
    await expect(admit(change(await dropped(job())))).rejects.toMatchObject({ code: 'drop.refused' });
    expect(commands()).toEqual(['AVISO']);
    expect(acceptor.jobs[0]?.details['reason']).toBe('drop-asks-more');
  });

  test.each<[string, Setting, (part: Record<string, unknown>) => unknown]>([
    ['is altered', {}, (part) => ({ ...part, source: 's3' })],
    ['has lost its token', {}, ({ token: _token, ...part }) => part],
    ['is null', {}, () => null],
    ['comes to a node without a peer', { hasPeer: false }, (part) => part],
  ])(
    'that %s is moved aside with a notice, and never taken as a new request',
    async (_what, setting, change) => {
      const whole = await dropped(job());
      const forged = { ...whole, parelha: change(whole.parelha) };
      await expect(admit(forged, setting)).rejects.toMatchObject({ code: 'drop.refused' });
      expect(commands()).toEqual(['AVISO']);
      expect(acceptor.jobs[0]?.details['reason']).toBe('drop-unproved');
    },
  );
});

test('a document for extensions that its sender, or whom it names, may not ask for is refused and answered', async () => {
  const people = memoryPeople(['user@example.com', 'maria@example.com']);
  const limits = { role: 'consulta', extensions: ['1121'], servers: null } as const;
  await people.put({ address: 'user@example.com', ...limits }, 'admin@example.com');
  const permission = createPermission(people, ROLE_COMMANDS);
  for (const email of ['user@example.com', 'maria@example.com']) {
    acceptor = createMemoryAcceptor();
    const said = await admit({ ...document, parameters: { ...document.parameters, email } }, { permission });
    expect(said).toMatch(/extension-not-permitted/);
    expect(acceptor.jobs).toMatchObject([{ request: { command: 'RECUSA', requester: email } }]);
    expect(acceptor.jobs[0]?.details['faults']).toHaveLength(1);
  }
  const own = { ...document.parameters, ramais: '1121' };
  await admit({ ...document, parameters: own }, { permission });
  expect(commands()).toContain('RAMAIS');
});

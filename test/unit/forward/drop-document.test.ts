import { CompactSign } from 'jose';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { readLegacyRequest } from '../../../node/commands/legacy-request.ts';
import { createRamaisGrammar } from '../../../node/commands/ramais-grammar.ts';
import { createDropDocuments } from '../../../node/forward/drop-document.ts';
import { digestOf } from '../../../node/queue/job-file.ts';
import type { Job } from '../../../protocol/job.ts';
import { legacyDocumentSchema } from '../../../protocol/legacy.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { pairedCredentials } from '../../support/forward-world.ts';
import { newJob } from '../../support/jobs.ts';
import { OPTIONS } from '../commands/grammar-support.ts';

const clock = fixedClock();
const credentials = pairedCredentials();
const common = { clock, timeZone: 'America/Sao_Paulo' };
const audio2 = createDropDocuments({
  ...common,
  nodeId: 'audio2',
  peerId: 'audio',
  credentials: credentials.audio2,
});
const audio = createDropDocuments({
  ...common,
  nodeId: 'audio',
  peerId: 'audio2',
  credentials: credentials.audio,
});

function job(request: Partial<Job['request']> = {}, params: Record<string, unknown> = {}): Job {
  const made = newJob('a');
  const whole = { ...made.request, ...request, params: { ...made.request.params, ...params } as never };
  return {
    ...made,
    request: whole,
    digest: digestOf(whole),
    acceptedAt: '2026-03-02T12:00:07Z',
  } as unknown as Job;
}

const printed = async (one: Job): Promise<Record<string, unknown>> =>
  JSON.parse(Buffer.from(await audio2.print(one)).toString()) as Record<string, unknown>;

/** What the Python side reads, to the letter. */
const pythonSchema = z.object({
  request_id: z.string().regex(/^\d{8}_\d{6}_req\w+$/),
  timestamp_received: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
  from_email: z.literal('maria@example.com'),
  status: z.literal('pending'),
  retries: z.literal(0),
  parameters: z.object({
    ramais: z.literal('1121,1122'),
    inicio: z.string().regex(/^\d\d\/\d\d\/\d{4} \d\d:\d\d$/),
    fim: z.string().regex(/^\d\d\/\d\d\/\d{4} \d\d:\d\d$/),
    email: z.literal('maria@example.com'),
  }),
});

describe('a dropped document', () => {
  test('is one that an old node understands as it stands', async () => {
    const document = await printed(job({}, { extensions: ['1121', '1122'] }));
    expect(pythonSchema.parse(document)).toMatchObject({
      ...{
        request_id: '20260302_090007_req' + newJob('a').id.slice(0, 12),
        timestamp_received: '2026-03-02 09:00:07',
      },
      parameters: { inicio: '01/03/2026 08:00', fim: '01/03/2026 18:00' },
    });
    expect(document['parameters']).toMatchObject({ audios_from: 'audio' });
    expect(legacyDocumentSchema.parse(document).parameters).not.toHaveProperty('server');
  });

  test.each([
    ['2026-03-01T08:00:00', '2026-03-01T18:00:59'],
    ['2026-03-01T08:00:30', '2026-03-01T18:00:15'],
    ['2026-03-01T00:00:00', '2026-03-01T23:59:59'],
  ])('covers the whole of %s to %s, though the old form has no seconds', async (start, end) => {
    const params = { start, end, server: 'gv2p' };
    const { fields } = readLegacyRequest(legacyDocumentSchema.parse(await printed(job({}, params))));
    const parsed = createRamaisGrammar({ ...OPTIONS, clock }).parse(fields);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    expect(parsed.params.start <= start && parsed.params.end >= end).toBe(true);
    expect(parsed.params).toMatchObject({ server: 'gv2p', audiosFrom: 'audio' });
  });

  test('hands over the job with its id, request and source', async () => {
    const one = job();
    const { parelha } = await printed(one);
    expect(await audio.verify(parelha)).toEqual({
      ...{ peerId: 'audio2', id: one.id, request: one.request, source: 'audio' },
    });
  });

  test('is still good after days, and with clocks that are hours apart', async () => {
    const later = fixedClock();
    const reader = createDropDocuments({
      ...common,
      clock: later,
      nodeId: 'audio',
      peerId: 'audio2',
      credentials: credentials.audio,
    });
    const { parelha } = await printed(job());
    for (const away of [{ hours: -12 }, { hours: 24 * 20 }]) {
      later.advance(away);
      expect(await reader.verify(parelha)).toMatchObject({ peerId: 'audio2' });
    }
    later.advance({ hours: 24 * 60 });
    await expect(reader.verify(parelha)).rejects.toMatchObject({ code: 'drop.unproved' });
  });

  test.each<[string, Partial<Job['request']>, Record<string, unknown>]>([
    ['without a requester', { requester: null }, {}],
    ['of a requester that old documents cannot name', { requester: 'a"b@example.com' }, {}],
    ['of another command', { command: 'CHECKIP' }, {}],
    ['too large for a node to take', { references: Array.from({ length: 50 }, () => '"'.repeat(998)) }, {}],
  ])('is not made of a job %s', async (_what, request, params) => {
    await expect(audio2.print(job(request, params))).rejects.toMatchObject({
      code: 'drop.unfit',
      retriable: false,
    });
  });
});

describe('what does not prove to be the peer’s', () => {
  const claims = (one: Job): Record<string, unknown> => ({
    ...{ iss: 'audio2', aud: 'audio', sub: one.id, digest: one.digest, source: one.source },
    iat: clock.now().epochMilliseconds / 1000,
  });
  const forged = async (
    header: Record<string, string>,
    change: Record<string, unknown> = {},
    key = credentials.audio2.own().tokenKey.privateKey,
  ): Promise<unknown> => {
    const one = job();
    const token = await new CompactSign(Buffer.from(JSON.stringify({ ...claims(one), ...change })))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'parelha-drop+jwt', kid: 'k1', ...header })
      .sign(key);
    return { ...((await printed(one))['parelha'] as object), token };
  };

  test('a well-made forgery passes, so that those below fail for their own reason', async () => {
    expect(await audio.verify(await forged({}))).toMatchObject({ peerId: 'audio2' });
  });

  test.each<[string, () => Promise<unknown>]>([
    ['no token', async () => ({ ...((await printed(job()))['parelha'] as object), token: 'x.y.z' })],
    ['nothing at all', async () => null],
    ['a token of calls', () => forged({ typ: 'parelha-rpc+jwt' })],
    ['an unknown key', () => forged({ kid: 'k2' })],
    [
      'another’s key under the peer’s name',
      () => forged({}, {}, credentials.audio.own().tokenKey.privateKey),
    ],
    ['a token for another node', () => forged({}, { aud: 'audio3' })],
    ['a token of another node', () => forged({}, { iss: 'audio' })],
    ['a token of another job', () => forged({}, { sub: '0'.repeat(64) })],
    ['a token of another request', () => forged({}, { digest: '0'.repeat(64) })],
    ['a token of another source', () => forged({}, { source: 's3' })],
    ['a token without a time', () => forged({}, { iat: undefined })],
    [
      'another request under the same digest',
      async () => {
        const part = (await printed(job()))['parelha'] as { request: object };
        return { ...part, request: { ...part.request, requester: 'eva@example.com' } };
      },
    ],
  ])('%s', async (_what, made) => {
    await expect(audio.verify(await made())).rejects.toMatchObject({ code: 'drop.unproved' });
  });

  test('anything, where the two are not paired', async () => {
    const stranger = createDropDocuments({
      ...common,
      ...{ nodeId: 'audio', peerId: 'audio2', credentials: { ...credentials.audio, peer: () => null } },
    });
    const { parelha } = await printed(job());
    await expect(stranger.verify(parelha)).rejects.toMatchObject({ code: 'drop.unproved' });
  });
});

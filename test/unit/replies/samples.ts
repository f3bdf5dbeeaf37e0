import { confirmationMail } from '../../../node/replies/confirmation.ts';
import { noticeDetails } from '../../../node/replies/notice-details.ts';
import { noticeMail } from '../../../node/replies/notice.ts';
import { nothingFoundMail } from '../../../node/replies/nothing-found.ts';
import { accessRefusalMail, refusalMail } from '../../../node/replies/refusal.ts';
import { MAX_LISTED, resultMail } from '../../../node/replies/result.ts';
import { delayedMail, failedMail } from '../../../node/replies/trouble.ts';
import type { Nearby, RecordingFault } from '../../../node/recordings/source.ts';
import type {
  JobView,
  LeftOutView,
  NoticeKind,
  RecordingView,
  ReplyMail,
  ResultView,
} from '../../../node/replies/views.ts';

export const GMAIL_CLIP_BYTES = 102 * 1024;

export const JOB: JobView = {
  request: {
    subject: 'RAMAIS=1121,1122 SERVER=gv2p INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00',
    extensions: ['1121', '1122'],
    start: '2025-10-27T08:00:00',
    end: '2025-10-28T18:00:59',
    server: 'gv2p',
    requester: 'pessoa@example.com',
  },
  jobId: '3f9a62c07be1d4458c90'.padEnd(64, '0'),
  source: 'audio',
  timeZone: 'America/Sao_Paulo',
};

/** Recordings an hour and some apart, with numbers of all lengths. */
export function recordings(count: number, urlPadding = 0): RecordingView[] {
  const first = Temporal.PlainDateTime.from('2025-10-27T08:00:05');
  const numbers = ['11987654321', '1122', '2133334444', '1121', '3010'];
  return Array.from({ length: count }, (_, index) => {
    const startedAt = first
      .add({ minutes: index * 73, seconds: index * 11 })
      .toString({ smallestUnit: 'second' });
    // From seconds to some minutes, as calls are.
    const seconds = 21 + ((index * 97) % 412);
    const [origin, destination] = [numbers[index % 5] ?? '', index % 5 === 3 ? '1122' : '1121'];
    const fileName = `${startedAt.replaceAll(/\D/g, '')}_${origin}_${destination}.wav`;
    return {
      startedAt,
      origin,
      destination,
      sizeBytes: 44 + seconds * 16_000,
      seconds,
      plays: true,
      fileName,
      url: `https://audio.example.com/r/3f9a62c07be1/${fileName}?e=1761764640&s=${'k'.repeat(43 + urlPadding)}`,
      fault: null,
    };
  });
}

export function resultView(count: number, urlPadding = 0): ResultView {
  return {
    ...JOB,
    recordings: recordings(count, urlPadding),
    zips: [
      {
        url: 'https://audio.example.com/r/3f9a62c07be1/gravacoes_3f9a62c07be1.zip?e=1761764640&s=zzz',
        sizeBytes: 12_897_484,
        fileName: 'gravacoes_3f9a62c07be1.zip',
        count,
      },
    ],
    leftOut: [],
    unreadable: 0,
    narrowedByServer: true,
    expiresAt: Temporal.Instant.from('2025-10-29T18:04:00Z'),
    mayEndEarlier: false,
    pageUrl: 'https://audio.example.com/d/audio/3f9a62c07be1/gravacoes.html?e=1761764640&s=ppp',
  };
}

/** A result of mixed formats: some cannot be told the length of, some no browser plays. */
export function mixedView(count: number): ResultView {
  const view = resultView(count);
  const mixed = view.recordings.map((one, index) => ({
    ...one,
    plays: index % 3 !== 1,
    seconds: index % 3 === 2 ? null : one.seconds,
  }));
  return { ...view, recordings: mixed };
}

/** The longest there is: presigned links, the longest names, all warnings. */
export function worstView(): ResultView {
  const view = partsView([500], 1100);
  const long = '5'.repeat(255);
  const worst = view.recordings.map((one, index) => ({
    ...one,
    origin: long,
    destination: long,
    fault: index % 2 === 0 ? ('growing' as const) : ('broken' as const),
  }));
  const leftOut = (fault: RecordingFault): LeftOutView[] =>
    worst.slice(0, 200).map(({ startedAt }) => ({ startedAt, origin: long, destination: long, fault }));
  return {
    ...view,
    request: {
      ...view.request,
      subject: `RAMAIS=${Array.from({ length: 400 }, (_, index) => 10_000_000 + index).join(',')}`,
      extensions: Array.from({ length: 400 }, (_, index) => String(10_000_000 + index)),
    },
    recordings: worst,
    zips: Array.from({ length: 60 }, () => view.zips[0]!),
    leftOut: [...leftOut('archived'), ...leftOut('vanished')],
    unreadable: 12,
    narrowedByServer: false,
    mayEndEarlier: true,
  };
}

function signature(tokenLength: number): string {
  return `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKEXAMPLE%2F20251028%2Fsa-east-1%2Fs3%2Faws4_request&X-Amz-Date=20251028T180400Z&X-Amz-Expires=86400&X-Amz-Security-Token=${'T'.repeat(tokenLength)}&X-Amz-Signature=${'f'.repeat(64)}`;
}

/** A result too large for one ZIP, of recordings that are heard in their bucket. */
export function partsView(counts: readonly number[], tokenLength = 900): ResultView {
  const count = counts.reduce((sum, part) => sum + part, 0);
  const view = resultView(count);
  const base = 'https://gravacoes-example.s3.sa-east-1.amazonaws.com';
  const signed = signature(tokenLength);
  const first = Temporal.PlainDateTime.from(JOB.request.start);
  return {
    ...view,
    source: 's3',
    recordings: view.recordings.map((one, index) => ({
      ...one,
      startedAt: first.add({ seconds: index * 9 }).toString({ smallestUnit: 'second' }),
      url: index < MAX_LISTED ? `${base}/monitor/2025/10/27/${one.fileName}?${signed}` : null,
    })),
    zips: counts.map((inPart, index) => ({
      url: `${base}/parelha/audio2/${JOB.jobId}/gravacoes_parte${index + 1}.zip?${signed}`,
      sizeBytes: inPart * 512_000,
      fileName: `gravacoes_parte${index + 1}.zip`,
      count: inPart,
    })),
    pageUrl: `${base}/parelha/audio2/${JOB.jobId}/gravacoes.html?${signed}`,
    expiresAt: Temporal.Instant.from('2025-10-28T21:10:00Z'),
  };
}

/** Left out: some in cold storage, and one for another reason. */
const COLD: readonly LeftOutView[] = [
  ...recordings(23).map(({ startedAt, origin, destination }) => ({
    ...{ startedAt, origin, destination },
    fault: 'archived' as const,
  })),
  { startedAt: '2025-10-28T16:40:31', origin: '11987654321', destination: '1122', fault: 'empty' },
];

/** One extension with recordings on both sides of the range, one with none at all. */
export const NEARBY: Nearby = {
  extensions: [
    {
      extension: '1121',
      before: { startedAt: '2025-10-24T17:41:02', origin: '1121', destination: '2133334444' },
      after: { startedAt: '2025-10-29T09:10:44', origin: '11987654321', destination: '1121' },
    },
    { extension: '1122', before: null, after: null },
  ],
  days: null,
};

const MAC_SUBJECT = 'MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO=010203040599 SERVER=gv2p';
const AT = Temporal.Instant.from('2025-10-28T18:04:00Z');

/** One mail of each kind, as people get them. */
export function samples(): Record<string, ReplyMail> {
  const view = resultView(7);
  const troubled: ResultView = {
    ...view,
    recordings: view.recordings.map((one, index) => ({
      ...one,
      fault: index === 2 ? 'broken' : index === 6 ? 'growing' : null,
    })),
    leftOut: [
      { startedAt: '2025-10-27T09:14:00', origin: '1121', destination: '3010', fault: 'empty' },
      { startedAt: '2025-10-27T16:40:31', origin: '11987654321', destination: '1122', fault: 'vanished' },
    ],
    unreadable: 1,
    narrowedByServer: false,
  };
  const refused = {
    subject: 'RE: RAMAS=1121;12 INICIO=31/02/2025 FIM=01/03/25 SEVER=gv9',
    faults: [
      { field: 'SUBJECT', code: 'unknown-command', values: { word: 'RAMAS', suggestion: 'RAMAIS' } },
      { field: 'SEVER', code: 'field-unknown', values: { value: 'gv9', suggestion: 'SERVER' } },
      { field: 'RAMAIS', code: 'extension-form', values: { value: '12', count: 1 } },
      {
        field: 'INICIO',
        code: 'date-impossible',
        values: { value: '31/02/2025', suggestion: '28/02/2025 00:00' },
      },
      {
        field: 'FIM',
        code: 'year-two-digits',
        values: { value: '01/03/25', suggestion: '01/03/2025 23:59' },
      },
      { field: 'SERVER', code: 'server-unknown', values: { value: 'gv9', known: 'gv1p, gv2p, voip1' } },
    ],
    corrected: 'RAMAIS=1121 INICIO=28/02/2025 00:00 FIM=01/03/2025 23:59',
    mailbox: 'gravacoes@example.com',
    tokenRequired: false,
  };
  const { request, jobId, timeZone } = JOB;
  const trouble = { request, subject: request.subject, jobId, timeZone, code: 'recordings.unavailable' };
  return {
    confirmation: confirmationMail({ ...JOB, position: 3, measured: { count: 132, bytes: 155_189_248 } }),
    'confirmation-first': confirmationMail({ ...JOB, position: 1, measured: null }),
    'confirmation-none': confirmationMail({ ...JOB, position: 1, measured: { count: 0, bytes: 0 } }),
    'confirmation-awaited': confirmationMail({ ...JOB, position: null, measured: null }),
    result: resultMail(view),
    'result-one': resultMail(resultView(1)),
    'result-warnings': resultMail(troubled),
    'result-mixed': resultMail(mixedView(7)),
    'result-silent': resultMail({
      ...resultView(1),
      recordings: recordings(1).map((one) => ({ ...one, plays: false, seconds: null })),
    }),
    'result-many': resultMail(resultView(340)),
    'result-parts': resultMail({ ...partsView([5000, 5000, 2480], 20), mayEndEarlier: true }),
    'result-archived': resultMail({ ...view, leftOut: COLD }),
    'nothing-found': nothingFoundMail({
      ...JOB,
      narrowedByServer: true,
      unreadable: 0,
      leftOut: [],
      otherSources: ['s3'],
      nearby: null,
    }),
    'nothing-nearby': nothingFoundMail({
      ...JOB,
      narrowedByServer: true,
      unreadable: 0,
      leftOut: [],
      nearby: NEARBY,
    }),
    'nothing-nearby-days': nothingFoundMail({
      ...JOB,
      source: 's3',
      narrowedByServer: null,
      unreadable: 0,
      leftOut: [],
      nearby: {
        extensions: NEARBY.extensions.map((one) => ({ ...one, after: null })),
        days: { first: '2025-10-20', last: '2025-11-04' },
      },
    }),
    'nothing-delivered': nothingFoundMail({
      ...JOB,
      nearby: null,
      narrowedByServer: null,
      unreadable: 0,
      leftOut: troubled.leftOut,
    }),
    'nothing-archived': nothingFoundMail({
      ...JOB,
      nearby: null,
      source: 's3',
      narrowedByServer: true,
      unreadable: 0,
      leftOut: COLD.slice(0, 1),
    }),
    refusal: refusalMail(refused),
    'refusal-token': refusalMail({ ...refused, faults: refused.faults.slice(0, 1), tokenRequired: true }),
    'refusal-disk-low': refusalMail({
      subject: request.subject,
      faults: [{ field: 'SYSTEM', code: 'disk-low', values: { command: 'RAMAIS' } }],
      corrected: request.subject,
      mailbox: 'gravacoes@example.com',
      tokenRequired: true,
    }),
    'access-token': accessRefusalMail({
      subject: '[0BADF00D] RAMAIS=1121 INICIO=27/10/2025 FIM=27/10/2025',
      reason: 'token-invalid',
      adminEmail: 'admin@example.com',
    }),
    'access-locked': accessRefusalMail({
      subject: 'RAMAIS=1121 INICIO=27/10/2025 FIM=27/10/2025',
      reason: 'locked-out',
      adminEmail: 'admin@example.com',
    }),
    'refusal-permission': refusalMail({
      subject: 'CHECKIP=10.0.0.9 SERVER=gv1p',
      faults: [
        { field: 'CHECKIP', code: 'ip-private', values: { value: '10.0.0.9' } },
        { field: 'SERVER', code: 'server-not-permitted', values: { value: 'gv1p', count: 1, known: 'gv2p' } },
      ],
      corrected: 'CHECKIP=203.0.113.9 SERVER=gv2p',
      mailbox: 'pedidos@example.com',
      tokenRequired: false,
    }),
    failed: failedMail({ ...trouble, attempts: 3 }),
    'failed-disk-low': failedMail({ ...trouble, code: 'node.disk-low', attempts: 1 }),
    'failed-no-space': failedMail({ ...trouble, code: 'publish.no-space', attempts: 3 }),
    'failed-access': failedMail({ ...trouble, code: 'recordings.refused', attempts: 1 }),
    'failed-refused': failedMail({ ...trouble, code: 'job.refused', attempts: 1 }),
    'failed-mac': failedMail({
      ...trouble,
      request: null,
      subject: MAC_SUBJECT,
      code: 'mac.failed',
      attempts: 3,
    }),
    'delayed-mac': delayedMail({
      ...trouble,
      request: null,
      subject: MAC_SUBJECT,
      code: 'mac.unsettled',
      nextAttemptAt: AT,
    }),
    delayed: delayedMail({ ...trouble, nextAttemptAt: AT }),
    'delayed-peer': delayedMail({ ...trouble, code: 'peer.away', nextAttemptAt: null }),
    notice: noticeMail({
      kind: 'drop-refused',
      nodeId: 'audio',
      at: AT,
      timeZone,
      details: [
        ['Arquivo', '20251111_150122_req001.json'],
        ['Remetente', 'pessoa@example.com'],
      ],
      faults: [{ field: 'RAMAIS', code: 'extensions-too-many', values: { count: 12, max: 10 } }],
      note: null,
    }),
    'notice-peer-away': noticeMail({
      kind: 'peer-away',
      nodeId: 'audio2',
      at: AT,
      timeZone,
      details: [
        ['Outro servidor', 'audio'],
        ['Pedidos esperando', '3'],
        [
          'Motivo técnico',
          'RPC: peer.unreachable (connect ECONNREFUSED 203.0.113.7:7443); SCP: drop.timeout (203.0.113.7:22: not within 15 s)',
        ],
      ],
      faults: [],
      note: null,
    }),
    'notice-unproved': notice('mail-unproved', {
      from: 'Ana <ana@example.com>',
      subject: 'CHECKIP=203.0.113.9',
      receivedAt: '2025-10-28T18:01:12Z',
      reason: 'dmarc-fail',
      detail: 'mx.example.net says dmarc=fail header.from=example.com',
      show: 'node-ctl quarantine show 3f9a62c07be1',
      release: 'node-ctl quarantine release 3f9a62c07be1',
    }),
    'notice-locked': notice('locked-out', {
      from: 'ana@example.com',
      until: '2025-10-29T18:01:12Z',
      clear: 'node-ctl lockout clear ana@example.com',
    }),
    'notice-whitelist': notice('whitelist-changed', {
      person: 'cliente@example.org',
      before: 'sem acesso',
      after: 'consulta; ramais 1121, 1122; servidores gv1p',
      by: 'admin@example.com',
    }),
    'notice-disk-low': notice('disk-low', {
      freeBytes: '734003200',
      headroomBytes: '1073741824',
      since: '2025-10-28T18:01:12Z',
      stateDir: '/var/lib/parelha',
      status: 'node-ctl status',
    }),
    'notice-unsettled': notice('server-unsettled', {
      server: 'gv2p',
      extension: '3010',
      reason: 'server.unreachable: gv2p (203.0.113.20:22): connect ETIMEDOUT',
      job: '7c02e91ad45b',
    }),
  };
}

function notice(kind: NoticeKind, details: Readonly<Record<string, string>>): ReplyMail {
  const { timeZone } = JOB;
  const shown = noticeDetails(details, timeZone);
  return noticeMail({ kind, nodeId: 'audio', at: AT, timeZone, details: shown, faults: [], note: null });
}

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KindId } from './kinds.ts';
import { type ReadMail, readMail, sendRequest, type SendOptions, type SentRequest } from './person.ts';
import { BUSY } from './recordings.ts';
import { answer, jobAt, type Stage, wait } from './story.ts';

/** Addresses nobody has (RFC 5737). */
const IPS = { banned: '203.0.113.9', partly: '203.0.113.77', looked: '203.0.113.50' } as const;
const STRANGER = 'mallory@example.net';
const WRONG_TOKENS = 6;
/** Of a job as people are shown it. */
export const SHOWN_ID_LENGTH = 12;

/** Requests for recordings that end in each way there is. */
export async function askForRecordings(stage: Stage): Promise<KindId[]> {
  const { tree } = stage;
  const long = { from: tree.firstDay, to: tree.lastDay };
  const before = { from: daysBefore(tree.firstDay, 12), to: daysBefore(tree.firstDay, 10) };
  const ramais = (extensions: string, { from, to }: typeof long): string =>
    `RAMAIS=${extensions} INICIO=${from} 00:00 FIM=${to} 23:59`;
  return together([
    told(stage, 'result-many', 'result', ramais(BUSY, long)),
    told(stage, 'nothing-found', 'result', ramais('1121', before)),
    told(stage, 'nothing-known', 'result', ramais('1999', long)),
    told(
      stage,
      'refusal',
      'refusal',
      `RAMAIS=12,1121 INICIO=${tree.firstDay} 25:00 FIM=${tree.lastDay} SERVDOR=gv1p`,
    ),
  ]);
}

/** CHECKIP and MACCHANGE, done, done in part, and failed. */
export async function askForServers(stage: Stage): Promise<KindId[]> {
  const { sip } = stage;
  sip.ban('gv1p', 'sshd', IPS.banned);
  sip.ban('gv2p', 'asterisk', IPS.banned);
  sip.ban('gv2p', 'asterisk', IPS.looked);
  sip.ban('gv1p', 'asterisk', IPS.partly);
  const first = await together([
    told(stage, 'checkip-released', 'result', `CHECKIP=${IPS.banned}`),
    told(stage, 'checkip-look', 'result', `CHECKIP=${IPS.looked} MODO=VER`),
    told(
      stage,
      'macchange-done',
      'result',
      'MACCHANGE=3010 MACATUAL=000b82040506 MACFUTURO=000b82040599 SERVER=gv2p',
    ),
    told(
      stage,
      'macchange-differs',
      'result',
      'MACCHANGE=3011 MACATUAL=000b82040577 MACFUTURO=000b82040588 SERVER=gv2p',
    ),
    told(
      stage,
      'failed-mac',
      'failed',
      'MACCHANGE=3010 MACATUAL=000b82040506 MACFUTURO=000b82040599 SERVER=gv1p',
    ),
  ]);
  await sip.setReachable('voip1', false);
  const request = await send(stage, `CHECKIP=${IPS.partly}`);
  await answer(stage, { request }, 'checkip-partly', 'result');
  await sip.setReachable('voip1', true);
  await answer(stage, { request }, 'checkip-followup', 'followup');
  const isOff = sip.breakOff('voip1');
  await send(stage, 'MACCHANGE=3010 MACATUAL=000b82040506 MACFUTURO=000b82040599 SERVER=voip1');
  const unsettled = await noticed(stage, 'notice-unsettled', 'Troca de MAC por terminar');
  await isOff;
  await sip.setReachable('voip1', true); // its answer follows at the next try, half a minute later
  return [...first, 'checkip-partly', 'checkip-followup', unsettled];
}

/** Those who may ask, those who may ask for less, and those who may not. */
export async function askAtTheDoor(stage: Stage): Promise<KindId[]> {
  const { servers, pair } = stage;
  const added = await together([
    told(stage, 'whitelist-added', 'result', 'WHITELIST ADD carla@example.com PAPEL=consulta', {
      by: 'admin',
    }),
    noticed(stage, 'notice-whitelist', 'carla@example.com'),
  ]);
  for (let attempt = 1; attempt <= WRONG_TOKENS; attempt++) {
    const subject = `[0000000${attempt}] STATUS`;
    const request = await sendRequest(servers, subject, { by: 'beto' });
    if (attempt === 1) await answer(stage, { request }, 'refusal-token', 'refusal');
    if (attempt === WRONG_TOKENS) await answer(stage, { request }, 'refusal-locked', 'refusal');
    await wait(stage, 'the mail to be read', () => servers.isSeen(request.uid));
  }
  await sendRequest(servers, `[${stage.token}] STATUS`, { handedOverBy: STRANGER });
  const document = {
    ...{ request_id: '20251111_150122_req001', timestamp_received: '2025-11-11 15:01:22' },
    ...{ from_email: STRANGER, status: 'pending', retries: 0 },
    parameters: { ramais: '1121', inicio: '10/11/2025 00:00', fim: '11/11/2025 23:59', email: STRANGER },
  };
  const pending = join(pair.audio2.directory, 'state/queue/pending');
  await writeFile(join(pending, '.dropped'), JSON.stringify(document));
  await rename(join(pending, '.dropped'), join(pending, '20251111_150122_req001.json'));
  const rest = await together([
    told(
      stage,
      'refusal-permission',
      'refusal',
      'MACCHANGE=3010 MACATUAL=000b82040599 MACFUTURO= SERVER=gv2p',
      {
        by: 'carla',
      },
    ),
    told(stage, 'whitelist-list', 'result', 'WHITELIST LIST', { by: 'admin' }),
    noticed(stage, 'notice-locked', 'beto@example.com'),
    noticed(stage, 'notice-unproved', 'ana@example.com', (mail) => mail.text.includes('node-ctl quarantine')),
    noticed(stage, 'notice-drop', STRANGER),
  ]);
  return [...added, 'refusal-token', 'refusal-locked', ...rest];
}

/** Questions about the service and about requests, and a mail under the id of another. */
export async function askQuestions(stage: Stage): Promise<KindId[]> {
  const { servers, tree, token, pair } = stage;
  const yesterday = daysBefore(tree.lastDay, 1);
  const subject = `RAMAIS=1123,1130 INICIO=${yesterday} FIM=${yesterday}`;
  const request = await send(stage, subject);
  await answer(stage, { request }, 'result', 'result');
  const { id } = await jobAt(stage, pair.audio2, { subject }, ({ outcome }) => outcome !== null);
  const twice = { messageId: '<pedido-1@example.com>', date: new Date(0) };
  const before = await send(stage, 'AJUDA', { as: twice });
  const answers = await together([
    answered(stage, 'help', 'result', before),
    told(stage, 'status', 'result', 'STATUS', { by: 'admin' }),
    told(stage, 'resend', 'result', `REENVIAR=${id.slice(0, SHOWN_ID_LENGTH)}`),
  ]);
  await sendRequest(servers, `[${token}] FILA`, { as: twice });
  return ['result', ...answers, await noticed(stage, 'notice-conflict', 'FILA')];
}

/** Sends a subject with the token in front, and waits for the answer of a kind. */
export async function told(
  stage: Stage,
  kind: KindId,
  answerKind: string,
  subject: string,
  options: SendOptions = {},
): Promise<KindId> {
  return answered(stage, kind, answerKind, await send(stage, subject, options));
}

async function answered(
  stage: Stage,
  kind: KindId,
  answerKind: string,
  request: SentRequest,
): Promise<KindId> {
  await answer(stage, { request }, kind, answerKind);
  return kind;
}

/** Sends a subject with the token in front. */
export function send(
  { servers, token }: Stage,
  subject: string,
  options?: SendOptions,
): Promise<SentRequest> {
  return sendRequest(servers, `[${token}] ${subject}`, options);
}

/** Waits for a notice to the admin that says this, and is of no other kind. */
export async function noticed(
  stage: Pick<Stage, 'servers' | 'album' | 'pair'>,
  kind: KindId,
  said: string,
  isRight: (mail: ReadMail) => boolean = () => true,
): Promise<KindId> {
  const { servers, album } = stage;
  const mail = await wait(stage, `a mail of the kind ${kind}`, async () => {
    const read = await Promise.all(servers.mails.filter((one) => one.inboxUid === null).map(readMail));
    const isIt = (one: ReadMail): boolean =>
      one.answerKind === 'notice' && one.text.includes(said) && album.kindOf(one) === null && isRight(one);
    return read.find(isIt);
  });
  album.put(kind, mail);
  return kind;
}

function together(kinds: readonly Promise<KindId>[]): Promise<KindId[]> {
  return Promise.all(kinds);
}

/** Days as subjects write them: `27/10/2025`. */
function daysBefore(day: string, days: number): string {
  const date = Temporal.PlainDate.from(day.split('/').toReversed().join('-')).subtract({ days });
  return date.toString().split('-').toReversed().join('/');
}

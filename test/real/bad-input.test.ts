import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { FAULTY, RANGE } from '../support/faulty-subjects.ts';
import { mailSource } from '../support/mails.ts';
import { TOKEN } from '../support/node.ts';
import { isKind, mailsOf, type ReceivedMail, sendRequest, waitForMails } from '../support/people.ts';
import { eximIsIdle, jobsOf } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

vi.setConfig({ maxConcurrency: 12 });

const GOOD = `RAMAIS=1121 ${RANGE}`;
const MAIL_MAX_BYTES = 50_000;

let servers: MailServers;
let it: Case;
const addressOf = (who: string): string => `${who}@example.test`;
const faulty = (at: number): string => addressOf(`pedido-${at}`);
const OTHERS = ['good', 'large', 'words', 'inject', 'control', 'token', 'bare', 'away', 'bare-mail', 'twice'];

beforeAll(async () => {
  servers = await startMailServers();
  const people = [...FAULTY.map((_, at) => faulty(at)), ...OTHERS.map(addressOf)];
  const settings = { WHITELIST: people.join(','), MAIL_MAX_BYTES: String(MAIL_MAX_BYTES) };
  it = await prepareCase({ servers, settings });
  const { recordingsDir, configFile, directory } = it.node;
  const known = { id: 'gv1p', name: 'Um', host: '203.0.113.1', enabled: true, audios_from: 'audio' };
  await writeFile(join(directory, 'servers.json'), JSON.stringify({ sip_servers: [known] }));
  await writeFile(configFile, `SERVERS_FILE=${join(directory, 'servers.json')}\n`, { flag: 'a' });
  await writeFile(join(recordingsDir, recordingName('1121', '1122', '20251027-090000')), wav(1000));
  await it.node.start();
});
afterAll(async () => {
  await it?.node[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
});

const ask = (who: string, subject: string, more: Parameters<typeof sendRequest>[2] = {}): Promise<string> =>
  sendRequest(servers, subject, { from: addressOf(who), to: it.mailbox, ...more });
/** A mail as it lies in the mailbox, however odd: put there without an SMTP server's opinion of it. */
const deliver = (raw: string): Promise<void> => servers.dovecot.deliver(it.mailbox, raw);

async function answerTo(who: string, kind: string): Promise<ReceivedMail> {
  const [mail] = await waitForMails(servers, addressOf(who), 1, isKind(kind));
  if (mail === undefined) throw new Error(`no ${kind}`);
  return mail;
}

/** Mails are dealt with in order: when this is answered, all before it have been. */
async function dealtWithAll(): Promise<void> {
  const before = (await mailsOf(servers, addressOf('good'))).filter(isKind('result')).length;
  await ask('good', GOOD);
  await waitForMails(servers, addressOf('good'), before + 1, isKind('result'));
  await eximIsIdle(servers);
}

async function faultsTold(who: string): Promise<string[]> {
  const jobs = await jobsOf(it.node, 'pending', 'processing', 'completed');
  const refusal = jobs.find(({ request }) => request.command === 'RECUSA' && request.requester === who);
  const faults = (refusal?.details['faults'] ?? []) as { field: string; code: string }[];
  return faults.map(({ field, code }) => `${field} ${code}`);
}

/** The corrected subject that a refusal offers, with our token in its place. */
function correctedBy({ parsed }: ReceivedMail): string {
  const link = /mailto:\S+?\?subject=(\S+)/.exec(parsed.text ?? '')?.[1] ?? '';
  return decodeURIComponent(link).replace('[SEU_TOKEN]', `[${TOKEN}]`);
}

describe.concurrent('a request that cannot be carried out gets one answer', () => {
  test.for(FAULTY.map((one, at) => [one[0], at] as const))(
    '%s: its faults, and a corrected subject that is accepted',
    async ([, at]) => {
      const [, subject, ...faults] = FAULTY[at] ?? ['', ''];
      await ask(`pedido-${at}`, subject);
      const refusal = await answerTo(`pedido-${at}`, 'refusal');
      expect(await faultsTold(faulty(at))).toEqual(faults);
      expect(refusal.parsed.html).not.toMatch(/<script|<img src=x/);
      const corrected = correctedBy(refusal);
      expect(corrected).toMatch(new RegExp(`^\\[${TOKEN}\\] RAMAIS=\\d`));
      await ask(`pedido-${at}`, corrected, { token: null });
      await answerTo(`pedido-${at}`, 'result');
      await eximIsIdle(servers);
      expect(await kindsTo(servers, faulty(at))).toEqual(['confirmation', 'refusal', 'result']);
    },
  );

  test('a mail that is too large, of which the headers alone are read', async () => {
    await ask('large', GOOD, { text: 'x'.repeat(MAIL_MAX_BYTES * 2) });
    const { parsed } = await answerTo('large', 'refusal');
    expect(parsed.text).toContain('passa do limite de 48,8 KB');
  });

  test('encoded words that are broken', async () => {
    const subject = `=?utf-8?B?W0Ex????= [${TOKEN}] =?nowhere?Q?=ZZ?= =?utf-8?Q?RAMAIS`;
    await deliver(mailSource({ from: addressOf('words'), subject }));
    await answerTo('words', 'refusal');
  });

  test('a subject that would write headers', async () => {
    const line = '=0D=0ABcc:_intruso@example.test=0D=0A=0D=0A<b>';
    const subject = `[${TOKEN}] =?utf-8?Q?RAMAIS=3D11${line}?=`;
    await deliver(mailSource({ from: addressOf('inject'), subject }));
    const { parsed } = await answerTo('inject', 'refusal');
    expect(parsed.headers.has('bcc')).toBe(false);
    expect(parsed.subject).toContain('Bcc: intruso@example.test');
    await eximIsIdle(servers);
    expect(await mailsOf(servers, addressOf('intruso'))).toEqual([]);
  });

  test('a subject with control and invisible characters, which is understood', async () => {
    const subject = Buffer.from(`RAMAIS=\u200b1121\u0007 \u202e${RANGE}\u001b[31m`).toString('base64');
    await deliver(mailSource({ from: addressOf('control'), subject: `[${TOKEN}] =?utf-8?B?${subject}?=` }));
    const mail = await Promise.any([answerTo('control', 'refusal'), answerTo('control', 'confirmation')]);
    // eslint-disable-next-line no-control-regex
    expect(mail.parsed.text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u202e\u200b]/);
  });

  test('a mail that is a header and nothing else is a request as any other', async () => {
    await deliver(`From: ${addressOf('bare-mail')}\r\nSubject: [${TOKEN}] ${GOOD}`);
    await answerTo('bare-mail', 'result');
  });
});

describe('at the door', () => {
  test('a wrong or missing token is told once a day', async () => {
    await ask('token', GOOD, { token: 'DEADBEEF' });
    const { raw } = await answerTo('token', 'refusal');
    expect(raw).not.toMatch(/deadbeef/i);
    await ask('token', GOOD, { token: '00000000' });
    await ask('token', GOOD, { token: null });
    await dealtWithAll();
    expect(await kindsTo(servers, addressOf('token'))).toEqual(['refusal']);
  });

  test('a token without its brackets opens nothing and is shown to nobody', async () => {
    await ask('bare', `${TOKEN.toLowerCase()} [${TOKEN} ${GOOD}`, { token: null });
    const { parsed } = await answerTo('bare', 'refusal');
    expect(parsed.text).toContain('******** [******** RAMAIS');
  });

  test('a stranger gets no answer', async () => {
    await ask('stranger', GOOD);
    await deliver(mailSource({ from: null, subject: `[${TOKEN}] ${GOOD}` }));
    await deliver(mailSource({ from: 'a@example.test, good@example.test', subject: `[${TOKEN}] ${GOOD}` }));
    await dealtWithAll();
    expect(await mailsOf(servers, addressOf('stranger'))).toEqual([]);
    expect(await mailsOf(servers, addressOf('a'))).toEqual([]);
  });

  test('the out-of-office reply to a result of ours, lists, bounces and our own mails cause no mail', async () => {
    await ask('away', GOOD);
    const { parsed } = await answerTo('away', 'result');
    await eximIsIdle(servers);
    const before = await kindsTo(servers, addressOf('away'));
    const toAdmin = (await mailsOf(servers, it.admin)).length;
    const reply = { 'In-Reply-To': parsed.messageId ?? '', References: parsed.messageId ?? '' };
    const away = `Resposta automática: ${parsed.subject}`;
    await ask('away', away, { headers: { ...reply, 'Auto-Submitted': 'auto-replied' } });
    await ask('away', away, { headers: { ...reply, 'X-Auto-Response-Suppress': 'All' } });
    await ask('away', GOOD, { headers: { 'List-Id': '<lista.example.test>' } });
    await ask('away', GOOD, { headers: { Precedence: 'bulk' } });
    await ask('away', GOOD, { headers: { 'X-Parelha-Loop': 'audio2' } });
    await ask('away', GOOD, { envelopeFrom: '' });
    const report = 'Content-Type: multipart/report; report-type=delivery-status; boundary=b';
    await deliver(mailSource({ from: addressOf('away'), subject: `[${TOKEN}] ${GOOD}`, extra: [report] }));
    await dealtWithAll();
    expect(await kindsTo(servers, addressOf('away'))).toEqual(before);
    const ofThis = (await mailsOf(servers, it.admin)).length - toAdmin;
    expect(ofThis).toBe(2); // what was asked for to see that all had been dealt with
    const audit = await readdir(join(it.node.stateDir, 'audit'));
    const lines = await readFile(join(it.node.stateDir, 'audit', audit[0] ?? ''), 'utf8');
    expect(lines.match(/"mail\.ignored".*away@/g)).toHaveLength(7);
  });
});

describe('what cannot be dealt with', () => {
  test('a mail beyond all bounds is set aside and told to the admin, and the others go on', async () => {
    const extra = Array.from({ length: 2_500 }, (_, at) => `X-${at}: 1`);
    await deliver(mailSource({ from: addressOf('good'), subject: `[${TOKEN}] ${GOOD}`, extra }));
    await deliver(
      Buffer.from(Uint8Array.from({ length: 3_000 }, (_, at) => (at * 7) % 256)).toString('latin1'),
    );
    await dealtWithAll();
    const notices = await waitForMails(servers, it.admin, 1, isKind('notice'));
    expect(notices).toHaveLength(1);
    const aside = await readdir(join(it.node.stateDir, 'set-aside'));
    expect(aside.filter((name) => name.endsWith('.eml'))).toHaveLength(1);
  });

  test('another request under the identity of one that was taken is told to the admin and not carried out', async () => {
    const identity = { from: addressOf('twice'), messageId: '<um@example.test>' };
    await deliver(mailSource({ ...identity, subject: `[${TOKEN}] ${GOOD}` }));
    await answerTo('twice', 'result');
    await deliver(mailSource({ ...identity, subject: `[${TOKEN}] RAMAIS=9999 ${RANGE}` }));
    await dealtWithAll();
    expect(await kindsTo(servers, addressOf('twice'))).toEqual(['confirmation', 'result']);
    const about = (mail: ReceivedMail): boolean => isKind('notice')(mail) && mail.raw.includes('9999');
    await waitForMails(servers, it.admin, 1, about);
  });
});

test('the token stands in no file, no log and no mail of ours', async () => {
  await dealtWithAll();
  const token = new RegExp(TOKEN, 'i');
  expect(it.node.child().output()).not.toMatch(token);
  for (const file of await readdir(it.node.stateDir, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    expect((await readFile(path)).toString('latin1'), path).not.toMatch(token);
  }
  const ours = await mailsOf(servers, it.mailbox, 'Sent');
  expect(ours.length).toBeGreaterThan(FAULTY.length * 3);
  for (const { raw, parsed } of ours) {
    expect(raw).not.toMatch(token);
    expect(`${parsed.text} ${parsed.html}`).not.toMatch(token);
  }
});

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { AuditEvent } from '../../node/audit.ts';
import { recordingName, wav } from '../support/audio.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type NodeUnderTest, PEOPLE, prepareNode, TOKEN } from '../support/node.ts';
import { isKind, linksOf, mailsOf, sendRequest, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

const REQUEST = 'RAMAIS=1121 INICIO=27/10/2025 08:00 FIM=27/10/2025 18:00';

/** The wrapper `faketime` would stand between the test and the node. The linker puts the machine's directory for $LIB. */
const THREE_HOURS_LATER = { LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1', FAKETIME: '+3h' };

let servers: MailServers;

beforeAll(async () => {
  servers = await startMailServers();
});
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

/** A node with a mailbox of its own and two recordings. */
async function startNode(name: string, settings: Record<string, string> = {}): Promise<NodeUnderTest> {
  const mailbox = `comandos-${name}@example.test`;
  const own = { EMAIL_SERVICE: mailbox, SMTP_FROM: mailbox, ADMIN_EMAIL: `admin-${name}@example.test` };
  const node = await prepareNode({ servers, settings: { ...own, ...settings } });
  await mkdir(node.recordingsDir, { recursive: true });
  for (const time of ['090000', '100000']) {
    const file = recordingName('1121', '2000', `20251027-${time}`);
    await writeFile(join(node.recordingsDir, file), wav(20_000));
  }
  await node.start();
  return node;
}

/** The only month there is. */
async function fileOf(node: NodeUnderTest): Promise<string> {
  const directory = join(node.stateDir, 'audit');
  const [name] = (await readdir(directory)).filter((one) => one.endsWith('.jsonl'));
  return join(directory, name ?? '');
}

async function entriesOf(node: NodeUnderTest, ...filter: string[]): Promise<AuditEvent[]> {
  const { out } = await node.ctl('audit', 'export', ...filter);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent);
}

describe('the audit log of a node', () => {
  let node: NodeUnderTest;
  const to = 'comandos-trilha@example.test';

  beforeAll(async () => {
    node = await startNode('trilha');
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
  });

  test('tells of a request from its mail to the opening of its links, and holds no token and no link', async () => {
    await sendRequest(servers, REQUEST, { to });
    const [result] = await waitForMails(servers, PEOPLE.maria, 1, isKind('result'));
    const link = linksOf(result as never).find(({ url }) => url.includes('.wav'))?.url ?? '';
    for (const range of ['bytes=0-99', 'bytes=100-199'])
      await (await fetch(link, { headers: { range } })).text();
    const told = [
      'mail.accepted',
      'recordings.delivered',
      'links.made',
      'mail.sent',
      'link.opened',
      'job.ended',
    ];
    const entries = await eventually('the audit log to tell all of it', async () => {
      const found = await entriesOf(node, '--person', PEOPLE.maria);
      return told.every((event) => found.some((entry) => entry.event === event)) ? found : null;
    });
    const of = (event: string): AuditEvent[] => entries.filter((entry) => entry.event === event);
    expect(new Set(entries.map(({ job }) => job)).size).toBe(1);
    expect(of('recordings.delivered')[0]?.['delivered']).toHaveLength(2);
    expect(of('link.opened')).toEqual([
      expect.objectContaining({ client: '127.0.0.1', name: expect.any(String) }),
    ]);
    const text = await readFile(await fileOf(node), 'utf8');
    for (const secret of [TOKEN, TOKEN.toLowerCase(), '/d/', new URL(link).searchParams.get('s') ?? '']) {
      expect(text).not.toContain(secret);
    }
    expect(await node.ctl('audit', 'verify')).toMatchObject({ code: 0 });
  });

  test('stays whole when the node is killed again and again while it writes', async () => {
    for (let round = 0; round < 3; round += 1) {
      await sendRequest(servers, `${REQUEST} SERVER=nenhum${round}`, { to });
      await eventually('something new in the audit log', async () =>
        (await readFile(await fileOf(node), 'utf8')).includes(`nenhum${round}`),
      );
      await node.child().end('SIGKILL');
      await node.start();
    }
    const { code, out } = await node.ctl('audit', 'verify');
    expect([code, out]).toEqual([0, expect.stringMatching(/^whole: /)]);
  });

  test('shows that a line was changed, removed or moved, while the node runs and after its next start', async () => {
    await eventually('all that was asked for to have ended', async () => {
      const entries = await entriesOf(node);
      const ended = new Set(entries.filter(({ event }) => event === 'job.ended').map(({ job }) => job));
      return entries.every(({ event, job }) => event !== 'mail.refused' || ended.has(job));
    });
    const file = await fileOf(node);
    const whole = await readFile(file, 'utf8');
    const lines = whole.trimEnd().split('\n');
    const middle = Math.floor(lines.length / 2);
    const tampered = [
      lines.with(middle, (lines[middle] ?? '').replace('"node":"audio"', '"node":"outro"')),
      lines.toSpliced(middle, 1),
      lines.with(middle, lines[middle - 1] ?? '').with(middle - 1, lines[middle] ?? ''),
      lines.slice(0, -1),
    ];
    for (const changed of tampered) {
      await writeFile(file, `${changed.join('\n')}\n`);
      expect(await node.ctl('audit', 'verify')).toMatchObject({ code: 2 });
      await writeFile(file, whole);
      expect(await node.ctl('audit', 'verify')).toMatchObject({ code: 0 });
    }
    await node.child().end('SIGTERM');
    await writeFile(file, `${lines.slice(0, -1).join('\n')}\n`);
    await node.start();
    const { code, out } = await node.ctl('audit', 'verify');
    expect([code, out]).toEqual([2, expect.stringContaining('was gone or changed when the node started')]);
  });
});

describe('past the number of mails of a day', () => {
  const { test: timed } = needs('faketime');

  timed('answers are held back through a restart, and come in one mail some hours later', async () => {
    const settings = { REPLIES_PER_SENDER: '10', WHITELIST: 'rui@example.test' };
    await using node = await startNode('limite', settings);
    const request = { to: 'comandos-limite@example.test', from: 'rui@example.test' };
    for (let n = 0; n < 7; n += 1) await sendRequest(servers, REQUEST, { ...request, text: `${n}` });
    // Of seven confirmations and seven results nine go out by themselves: one place is for the digest.
    const heldFiles = async (): Promise<number> => (await readdir(join(node.stateDir, 'held'))).length;
    await eventually('five answers to be held back', async () => (await heldFiles()) === 5, 60_000);
    expect(await waitForMails(servers, 'rui@example.test', 9)).toHaveLength(9);
    expect((await node.ctl('status')).out).toContain('5 answers are held back');
    await node.child().end('SIGKILL');

    await node.start(THREE_HOURS_LATER);
    const [digest] = await waitForMails(servers, 'rui@example.test', 1, isKind('digest'), 60_000);
    expect(digest?.parsed.subject).toContain('Resumo');
    await eventually('nothing to be held back', async () => (await heldFiles()) === 0);
    expect(await mailsOf(servers, 'rui@example.test')).toHaveLength(10);
    // The admin has had a copy of each of the fourteen at once.
    expect(await waitForMails(servers, 'admin-limite@example.test', 14)).toHaveLength(14);
  });
});

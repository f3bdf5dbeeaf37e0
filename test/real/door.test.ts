import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { mailSource, type MailSource } from '../support/mails.ts';
import { type NodeUnderTest, PEOPLE, prepareNode, TOKEN } from '../support/node.ts';
import { isKind, mailsOf, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { createSigner, type Zone } from '../support/signed-mail.ts';

const { describe, test } = needs('dovecot', 'exim');

const ID = 'mx.example.test';
const REQUEST = 'RAMAIS=1121 INICIO=27/10/2025 FIM=27/10/2025';
const MAIN = join(import.meta.dirname, '../support/node-with-dns.ts');
const own = createSigner('example.test');
const other = createSigner('evil.example');
const ZONE: Zone = { ...own.records, ...other.records, '_dmarc.example.test': 'v=DMARC1; p=reject' };

let servers: MailServers;
beforeAll(async () => {
  servers = await startMailServers();
});
afterAll(() => servers[Symbol.asyncDispose]());

interface Door extends AsyncDisposable {
  readonly node: NodeUnderTest;
  /** Who asks; each door has people of its own. */
  readonly maria: string;
  readonly admin: string;
  setZone(zone: Zone): Promise<void>;
  /** A mail as this person would write it. */
  mail(source?: MailSource): string;
  /** Hands a mail in by SMTP, octet for octet. */
  send(raw: string): Promise<void>;
  /** Puts a mail into the mailbox, as a receiving server does that has written these fields on top of it. */
  deliver(top: readonly string[], raw: string): Promise<void>;
  /** Waits for an entry of the audit log. */
  audited(what: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
}

let doors = 0;

/** A node on mailboxes of its own. */
async function open(settings: Readonly<Record<string, string>>): Promise<Door> {
  doors += 1;
  const [mailbox, maria, admin] = ['node', 'maria', 'admin'].map((name) => `${name}${doors}@example.test`);
  if (mailbox === undefined || maria === undefined || admin === undefined) throw new Error('never');
  const people = { EMAIL_SERVICE: mailbox, SMTP_FROM: mailbox, ADMIN_EMAIL: admin, WHITELIST: maria };
  const node = await prepareNode({ servers, main: MAIN, settings: { ...people, ...settings } });
  // A directory without recordings counts as a disk that is not mounted.
  await writeFile(join(node.recordingsDir, recordingName('1121', '3010', '20251027-090000')), wav(1_000));
  const zoneFile = join(node.directory, 'zone.json');
  await writeFile(zoneFile, JSON.stringify(ZONE));
  await node.start({ DNS_ZONE: zoneFile });
  await eventually('the mailbox to be watched', async () =>
    (await node.ctl('status')).out.includes('watching'),
  );
  const events = async (): Promise<Record<string, unknown>[]> => {
    const directory = join(node.stateDir, 'audit');
    const files = (await readdir(directory)).filter((name) => name.endsWith('.jsonl'));
    const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')));
    return texts
      .flatMap((text) => text.split('\n').filter((line) => line !== ''))
      .map((line) => JSON.parse(line));
  };
  return {
    ...{ node, maria, admin },
    setZone: (zone) => writeFile(zoneFile, JSON.stringify(zone)),
    mail: (source) => mailSource({ from: maria, subject: `[${TOKEN}] ${REQUEST}`, ...source }),
    send: async (raw) => {
      const transport = createTransport({
        host: servers.exim.host,
        port: servers.exim.smtpPort,
        ignoreTLS: true,
      });
      await transport.sendMail({ envelope: { from: maria, to: mailbox }, raw });
      transport.close();
    },
    deliver: (top, raw) => servers.dovecot.deliver(mailbox, [...top, raw].join('\r\n')),
    audited: (what) =>
      eventually(`an audit entry ${JSON.stringify(what)}`, async () =>
        (await events()).find((event) => Object.entries(what).every(([key, value]) => event[key] === value)),
      ),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}

describe('SENDER_AUTH=verify', () => {
  let it: Door;
  beforeAll(async () => {
    it = await open({ SENDER_AUTH: 'verify' });
  });
  afterAll(() => it[Symbol.asyncDispose]());

  test('a mail with a real signature is answered', async () => {
    await it.send(await own.sign(it.mail()));
    expect(await it.audited({ event: 'mail.accepted', from: it.maria })).toMatchObject({
      proof: { proved: true, how: 'dkim', domain: 'example.test' },
      rule: { person: it.maria, token: 'file' },
    });
    await waitForMails(servers, it.maria, 1, isKind('result'));
  });

  test.each<[string, () => Promise<string>, string]>([
    ['altered body', async () => (await own.sign(it.mail())).replace('Obrigada', 'Obrigado'), 'dkim-fail'],
    ['signature of another domain', () => other.sign(it.mail()), 'domain-differs'],
    [
      'second subject on top',
      async () => `Subject: RAMAIS=1\r\n${await own.sign(it.mail())}`,
      'header-ambiguous',
    ],
    [
      'forged results',
      async () => `Authentication-Results: ${ID}; dmarc=pass header.from=example.test\r\n${it.mail()}`,
      'unsigned',
    ],
  ])(
    'one with %s is in quarantine: the admin is told, the person it names is not',
    async (_, make, reason) => {
      const before = (await mailsOf(servers, it.maria)).length;
      await it.send(await make());
      const { mail } = await it.audited({ event: 'mail.quarantined', reason });
      const id = String(mail).slice(0, 12);
      const told = await waitForMails(servers, it.admin, 1, ({ raw }) => raw.includes(id));
      expect(told).toHaveLength(1);
      expect(told[0]?.raw).not.toContain(TOKEN);
      const { out } = await it.node.ctl('quarantine', 'list');
      expect(out).toMatch(new RegExp(`${id} .* ${reason} `));
      expect((await it.node.ctl('status')).out).toMatch(
        /sender is not proved: \d+ \(node-ctl quarantine list\)/,
      );
      expect(await mailsOf(servers, it.maria)).toHaveLength(before);
    },
  );

  test('what an operator releases is answered, and shown before without its token', async () => {
    const raw = it.mail({ body: 'Por favor.' });
    await it.send(raw);
    const { mail, job } = await it.audited({ event: 'mail.quarantined', reason: 'unsigned', from: it.maria });
    const id = String(mail);
    const shown = await it.node.ctl('quarantine', 'show', id);
    expect(shown.out).toContain(REQUEST);
    expect(shown.out).not.toContain(TOKEN);
    expect(await it.node.ctl('quarantine', 'release', id)).toMatchObject({ code: 0 });
    expect(await it.audited({ event: 'mail.accepted', job })).toMatchObject({ proof: { how: 'released' } });
    expect((await it.node.ctl('quarantine', 'list')).out).not.toContain(id.slice(0, 12));
  });

  test('a stranger is answered where it is proved who that is, and not otherwise', async () => {
    await it.send(it.mail({ from: PEOPLE.stranger }));
    await it.audited({ event: 'mail.not-allowed', answered: false });
    await it.send(await own.sign(it.mail({ from: PEOPLE.stranger })));
    await it.audited({ event: 'mail.not-allowed', answered: true });
    await waitForMails(servers, PEOPLE.stranger, 1, isKind('refusal'));
    expect(await mailsOf(servers, PEOPLE.stranger)).toHaveLength(1);
  });

  test('a mail waits for a DNS that is down, and is answered when it is back', async () => {
    await it.setZone({ ...ZONE, 'parelha._domainkey.example.test': '!ETIMEOUT' });
    const subject = 'RAMAIS=1122 INICIO=27/10/2025 FIM=27/10/2025';
    await it.send(await own.sign(it.mail({ subject: `[${TOKEN}] ${subject}` })));
    await eventually('the mail to wait', () => it.node.child().output().includes('waits for the DNS'));
    await it.setZone(ZONE);
    expect(await it.audited({ event: 'mail.accepted', subject })).toMatchObject({ proof: { how: 'dkim' } });
  });

  test('a token of node-ctl opens once, five wrong ones lock out, and the lock can be lifted', async () => {
    const made = await it.node.ctl(
      '--json',
      'token',
      'add',
      '--for',
      it.maria,
      '--expires',
      '1h',
      '--single-use',
    );
    const { id, token } = JSON.parse(made.out) as { id: string; token: string };
    const ask = async (key: string, ramal: number): Promise<void> =>
      it.send(await own.sign(it.mail({ subject: `[${key}] ${REQUEST.replace('1121', String(ramal))}` })));
    await ask(token, 2001);
    expect(
      await it.audited({ event: 'mail.accepted', subject: REQUEST.replace('1121', '2001') }),
    ).toMatchObject({
      rule: { token: `token:${id}` },
    });
    for (const key of [token, '00000001', '00000002', '00000003', '00000004']) await ask(key, 2002);
    await waitForMails(servers, it.admin, 1, ({ raw }) => raw.includes('lockout clear'));
    await ask(TOKEN, 2003);
    await it.audited({ event: 'mail.bad-token', reason: 'locked-out' });
    expect((await it.node.ctl('lockout', 'list')).out).toContain(it.maria);
    expect((await it.node.ctl('status')).out).toContain('locked out after wrong tokens: 1');
    expect((await it.node.ctl('lockout', 'clear', it.maria)).code).toBe(0);
    await ask(TOKEN, 2004);
    await it.audited({ event: 'mail.accepted', subject: REQUEST.replace('1121', '2004') });
    const everything = (await it.node.ctl('--json', 'token', 'list', '--all')).out + it.node.child().output();
    expect(everything).not.toContain(token);
    const kept = await readFile(join(it.node.stateDir, 'access.json'), 'utf8');
    expect(kept).toContain(id);
    expect(kept.toUpperCase()).not.toContain(token);
  });
});

describe('SENDER_AUTH=authserv-id', () => {
  let it: Door;
  beforeAll(async () => {
    it = await open({ SENDER_AUTH: ID });
  });
  afterAll(() => it[Symbol.asyncDispose]());
  const results = (dmarc: string, from: string, id = ID): string =>
    `Authentication-Results: ${id}; dmarc=${dmarc} header.from=${from}`;
  const received = `Received: from a (b [203.0.113.7]) by ${ID} with ESMTP id 1; Mon, 02 Mar 2026 09:00:00 -0300`;

  test('what the receiving server says is believed', async () => {
    await it.deliver([received, results('pass', 'example.test')], it.mail());
    expect(await it.audited({ event: 'mail.accepted' })).toMatchObject({ proof: { how: 'results' } });
    await waitForMails(servers, it.maria, 1, isKind('result'));
  });

  test.each<[string, () => [string[], string], string]>([
    [
      'a forged one below it',
      () => [[results('fail', 'example.test'), results('pass', 'example.test')], it.mail()],
      'dmarc-fail',
    ],
    [
      'a forged one above it, of another id',
      () => [[results('pass', 'example.test', 'evil.example'), results('fail', 'example.test')], it.mail()],
      'dmarc-fail',
    ],
    ['none of it', () => [[results('pass', 'example.test', `${ID}.evil.example`)], it.mail()], 'no-results'],
    ['one for another domain', () => [[results('pass', 'evil.example')], it.mail()], 'domain-differs'],
    ['one for a domain below', () => [[results('pass', 'sub.example.test')], it.mail()], 'domain-differs'],
    [
      'two From fields',
      () => [[results('pass', 'evil.example'), 'From: eve@evil.example'], it.mail()],
      'header-ambiguous',
    ],
    [
      'two authors',
      () => [[results('pass', 'evil.example')], it.mail({ from: `eve@evil.example, ${it.maria}` })],
      'from-ambiguous',
    ],
    [
      'a group',
      () => [[results('pass', 'example.test')], it.mail({ from: `Staff: ${it.maria};` })],
      'from-ambiguous',
    ],
  ])('a mail with %s is in quarantine', async (name, make, reason) => {
    const [top, raw] = make();
    const messageId = `<${name.replaceAll(/\W/g, '-')}@evil.example>`;
    const before = (await mailsOf(servers, it.maria)).length;
    const count = async (): Promise<number> => {
      const names = await readdir(join(it.node.stateDir, 'quarantine')).catch(() => []);
      return names.filter((file) => file.endsWith('.json')).length;
    };
    const held = await count();
    await it.deliver(top, raw.replace(/^Message-ID: .*$/m, `Message-ID: ${messageId}`));
    await it.audited({ event: 'mail.quarantined', reason });
    await eventually('the mail to be in quarantine', async () => (await count()) === held + 1);
    expect(await mailsOf(servers, it.maria)).toHaveLength(before);
  });
});

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { LAST_NAME, parseEntries } from '../../node/servers/ignore-file.ts';
import { kindsTo, prepareCase } from '../support/cases.ts';
import { type Fail2ban, startFail2ban } from '../support/fail2ban.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type NodeUnderTest, PEOPLE, TOKEN, prepareNode } from '../support/node.ts';
import { isKind, kindOf, mailsOf, type ReceivedMail, sendRequest, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { needs } from '../support/requirements.ts';
import { type SshWorld, startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd', 'fail2ban');

const IP = '203.0.113.9';
const JAILS = ['sshd', 'asterisk'];

/** A SIP server: a real sshd before a real fail2ban. */
interface Sip {
  readonly id: string;
  readonly fail2ban: Fail2ban;
  readonly ssh: SshWorld;
}

let servers: MailServers;
let node: NodeUnderTest;
let serversFile: string;
const sips = new Map<string, Sip>();
const all = new AsyncDisposableStack();

function sip(id: string): Sip {
  const found = sips.get(id);
  if (found === undefined) throw new Error(`no server ${id}`);
  return found;
}

async function startSip(id: string, way: 'withHelper' | 'withShell'): Promise<void> {
  const fail2ban = all.use(await startFail2ban({ jails: JAILS }));
  const ssh = all.use(await startSshWorld(fail2ban[way]));
  sips.set(id, { id, fail2ban, ssh });
}

/** As SERVERS_FILE has it. */
async function entryOf({ id, ssh, fail2ban }: Sip): Promise<Record<string, unknown>> {
  const keyFile = join(ssh.directory, 'key');
  await writeFile(keyFile, ssh.privateKey, { mode: 0o600 });
  const { host, port, user } = ssh.sshd;
  return {
    ...{
      id,
      name: `Servidor ${id}`,
      host,
      port,
      user,
      key_file: keyFile,
      host_key: (await ssh.fingerprints())[0],
    },
    fail2ban: { jail_directory: fail2ban.jailDirectory, logs: [fail2ban.ownLog] },
  };
}

beforeAll(async () => {
  servers = all.use(await startMailServers());
  await startSip('gv1p', 'withHelper');
  await startSip('gv2p', 'withShell');
  await startSip('voip1', 'withHelper');
  serversFile = join(sip('gv1p').ssh.directory, 'servers.json');
  await writeFile(
    serversFile,
    JSON.stringify({ sip_servers: await Promise.all([...sips.values()].map(entryOf)) }),
  );
  node = all.use(await prepareNode({ servers, settings: { SERVERS_FILE: serversFile } }));
  await node.start();
});
afterAll(() => all.disposeAsync());

/** Asks as Maria does, and gives the answer of a kind to that mail. */
async function ask(subject: string): Promise<{ answer(kind: string): Promise<ReceivedMail> }> {
  const messageId = await sendRequest(servers, subject);
  return {
    answer: async (kind) => {
      const isAnswer = (mail: ReceivedMail): boolean =>
        isKind(kind)(mail) && mail.parsed.inReplyTo === messageId;
      const [mail] = await waitForMails(servers, PEOPLE.maria, 1, isAnswer, 60_000);
      if (mail === undefined) throw new Error('no answer');
      return mail;
    },
  };
}

/** The part of a mail about a server, to the next one. */
function rowOf({ parsed }: ReceivedMail, id: string): string {
  const text = (parsed.text ?? '').slice((parsed.text ?? '').search(/^.*Servidor .*\(/m));
  const rows = text.split(/(?=^.*Servidor \w+ \()/m);
  return rows.find((row) => row.includes(`Servidor ${id} (${id})`)) ?? '';
}

/** Every line of the node's audit log. */
async function auditOf({ stateDir }: NodeUnderTest): Promise<Record<string, unknown>[]> {
  const directory = join(stateDir, 'audit');
  const months = (await readdir(directory)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(months.map((name) => readFile(join(directory, name), 'utf8')));
  const lines = texts
    .join('')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('CHECKIP by mail', () => {
  test('banned in two jails on one server, not on the second, the third is away: mail, file and fail2ban agree', async () => {
    const [banned, free, away] = [sip('gv1p'), sip('gv2p'), sip('voip1')];
    for (const jail of JAILS) await banned.fail2ban.ban(jail, IP);
    await away.fail2ban.ban('sshd', IP);
    await away.ssh.sshd.stop();

    const { answer } = await ask(`CHECKIP=${IP}`);
    const result = await answer('result');
    expect(result.raw).not.toContain(TOKEN);
    expect(result.parsed.subject).toBe(`Re: CHECKIP=${IP}`);
    expect(rowOf(result, 'gv1p')).toMatch(/LIBERADO/);
    for (const jail of JAILS) expect(rowOf(result, 'gv1p')).toContain(`${jail}, desde`);
    expect(rowOf(result, 'gv2p')).toMatch(/NÃO ESTAVA BANIDO/);
    expect(rowOf(result, 'voip1')).toMatch(/NÃO VERIFICADO/);
    expect(rowOf(result, 'voip1')).not.toMatch(/não estava banido/i);

    for (const { fail2ban } of [banned, free]) {
      expect(await fail2ban.holding(IP)).toEqual([]);
      const entries = parseEntries(await readFile(join(fail2ban.jailDirectory, LAST_NAME), 'utf8'));
      expect(entries).toHaveLength(1);
      expect(entries[0]).toMatchObject({ ip: IP, by: PEOPLE.maria });
      expect(result.raw).toContain(entries[0]?.job.slice(0, 12));
      expect((await fail2ban.client('reload')).code).toBe(0);
      for (const jail of JAILS) expect(await fail2ban.ignored(jail)).toEqual([IP]);
    }
    expect((await banned.fail2ban.actions()).filter((line) => line === `unban ${IP}`)).toHaveLength(2);
    expect(await away.fail2ban.holding(IP)).toEqual(['sshd']);

    // It comes back, and a second mail tells of it alone.
    await away.ssh.sshd.start();
    const followUp = await answer('followup');
    expect(rowOf(followUp, 'voip1')).toMatch(/LIBERADO/);
    expect(followUp.parsed.text).not.toContain('gv1p');
    expect(await away.fail2ban.holding(IP)).toEqual([]);
    expect(await away.fail2ban.ignored('asterisk')).toEqual([IP]);
    // Nothing was done twice, and nobody got more.
    expect((await banned.fail2ban.actions()).filter((line) => line === `unban ${IP}`)).toHaveLength(2);
    const kinds = (await mailsOf(servers, PEOPLE.maria)).map(kindOf).toSorted();
    expect(kinds).toEqual(['followup', 'result']);
    const released = (await auditOf(node)).filter(({ event }) => event === 'ban.released');
    expect(new Set(released.map(({ server }) => server))).toEqual(new Set(['gv1p', 'gv2p', 'voip1']));
    expect(released).toHaveLength(3);
    expect(released.every(({ by, ip }) => by === PEOPLE.maria && ip === IP)).toBe(true);
    const notes = JSON.parse(await readFile(join(node.stateDir, 'ignored.json'), 'utf8')) as {
      entries: unknown[];
    };
    expect(notes.entries).toHaveLength(3);
  }, 150_000);

  test('MODO=VER only looks', async () => {
    const { fail2ban } = sip('gv1p');
    await fail2ban.ban('sshd', '203.0.113.77');
    const { answer } = await ask('CHECKIP=203.0.113.77 SERVER=gv1p MODO=VER');
    const result = await answer('result');
    expect(rowOf(result, 'gv1p')).toMatch(/— BANIDO/);
    expect(await fail2ban.holding('203.0.113.77')).toEqual(['sshd']);
    expect(await fail2ban.ignored('sshd')).not.toContain('203.0.113.77');
  });

  test('nonsense never reaches a server', async () => {
    const before = sip('gv1p').ssh.sshd.log();
    const { answer } = await ask('CHECKIP=10.0.0.1; fail2ban-client unban --all');
    expect((await answer('refusal')).parsed.text).toContain('CHECKIP=');
    expect(sip('gv1p').ssh.sshd.log()).toBe(before);
  });
});

describe('a node that dies while it releases an address', () => {
  test.each([
    ['198.51.100.1', 'look:gv1p done'],
    ['198.51.100.2', 'release:gv1p intent'],
    ['198.51.100.3', 'before line ban.released'],
    ['198.51.100.4', 'release:gv1p done'],
    ['198.51.100.5', 'checkip:first done'],
    ['198.51.100.6', 'sent result'],
  ])('%s: at "%s" it releases once and answers once, with what there was', async (ip, moment) => {
    const { fail2ban } = sip('gv1p');
    await fail2ban.ban('asterisk', ip);
    const it = await prepareCase({ servers, settings: { SERVERS_FILE: serversFile } });
    await using dying = it.node;
    const process = await dying.start({ KILL_AT: moment });
    await sendRequest(servers, `CHECKIP=${ip} SERVER=gv1p`, { from: it.requester, to: it.mailbox });
    await eventually(`the node to die at ${moment}`, () => process.process.signalCode === 'SIGKILL', 60_000);
    await dying.start();

    const [result, ...more] = await waitForMails(servers, it.requester, 1, isKind('result'));
    expect(more).toEqual([]);
    if (result === undefined) throw new Error('no result');
    expect(rowOf(result, 'gv1p')).toMatch(/LIBERADO[\s\S]*asterisk/);
    expect(await fail2ban.holding(ip)).toEqual([]);
    expect((await fail2ban.actions()).filter((line) => line === `unban ${ip}`)).toHaveLength(1);
    expect(await fail2ban.ignored('sshd')).toContain(ip);
    await eventually(
      'the job to be filed',
      async () => (await readdir(join(dying.stateDir, 'queue/completed'))).length === 1,
    );
    expect(await kindsTo(servers, it.requester)).toEqual(['result']);
  });
});

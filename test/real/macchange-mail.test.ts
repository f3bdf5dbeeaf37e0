import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { type MacServer, makeMacServer } from '../support/mac-server.ts';
import { type NodeUnderTest, PEOPLE, prepareNode } from '../support/node.ts';
import { isKind, type ReceivedMail, sendRequest, waitForMails } from '../support/people.ts';
import { needs } from '../support/requirements.ts';
import { startSshWorld } from '../support/ssh-world.ts';

const { describe, test } = needs('dovecot', 'exim', 'sshd');

const FIRST = '010203040506';
const SECOND = '000b82040599';

let servers: MailServers;
let node: NodeUnderTest;
let phones: MacServer;
const all = new AsyncDisposableStack();

beforeAll(async () => {
  servers = all.use(await startMailServers());
  const ssh = all.use(await startSshWorld());
  phones = await makeMacServer(ssh, join(ssh.directory, 'phones'));
  const keyFile = join(ssh.directory, 'key');
  await writeFile(keyFile, ssh.privateKey, { mode: 0o600 });
  const { host, port, user, macFiles, macBackupDir } = phones.server;
  const entry = {
    ...{ id: 'gv2p', host, port, user, key_file: keyFile, host_key: (await ssh.fingerprints())[0] },
    commands: ['CHECKIP', 'MACCHANGE'],
    mac_files: macFiles.map(({ notation, ...file }) => ({ ...file, ...notation })),
    mac_backup_dir: macBackupDir,
  };
  const file = join(ssh.directory, 'servers.json');
  await writeFile(file, JSON.stringify({ sip_servers: [entry] }));
  node = all.use(await prepareNode({ servers, settings: { SERVERS_FILE: file } }));
  await node.start();
});
afterAll(() => all.disposeAsync());

/** Asks as Maria does, and gives the answer to that mail. */
async function answerTo(subject: string, kind = 'result'): Promise<ReceivedMail> {
  const messageId = await sendRequest(servers, subject);
  const isAnswer = (mail: ReceivedMail): boolean => isKind(kind)(mail) && mail.parsed.inReplyTo === messageId;
  const [mail] = await waitForMails(servers, PEOPLE.maria, 1, isAnswer);
  if (mail === undefined) throw new Error('no answer');
  return mail;
}

async function auditOf(event: string): Promise<Record<string, unknown>[]> {
  const directory = join(node.stateDir, 'audit');
  const months = (await readdir(directory)).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(months.map((name) => readFile(join(directory, name), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line !== '');
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((entry) => entry['event'] === event);
}

describe('MACCHANGE by mail', () => {
  test('changes the phone once, says so again when repeated, and tells what is there to who is wrong', async () => {
    const before = await phones.served();
    const wrong = await answerTo(`MACCHANGE=3010 MACATUAL=00:0b:82:99:99:99 MACFUTURO=${SECOND} SERVER=gv2p`);
    expect(wrong.parsed.text).toContain(FIRST);
    expect(await phones.served()).toEqual(before);

    const change = `MACCHANGE=3010 MACATUAL=${FIRST} MACFUTURO=00-0B-82-04-05-99 SERVER=gv2p`;
    const done = await answerTo(change);
    expect(done.parsed.text).toContain(SECOND);
    const after = await phones.served();
    expect(JSON.stringify(after).toLowerCase()).not.toContain(FIRST);
    const [entry] = await auditOf('mac.changed');
    expect(entry).toMatchObject({
      server: 'gv2p',
      extension: '3010',
      from: FIRST,
      to: SECOND,
      by: PEOPLE.maria,
    });

    const again = await answerTo(change);
    expect(again.parsed.text).not.toEqual(done.parsed.text);
    expect(await phones.served()).toEqual(after);
    expect(await auditOf('mac.changed')).toHaveLength(1);

    const shown = await node.ctl('mac', 'show', '3010', '--server', 'gv2p');
    expect(shown.out).toContain(SECOND);
    const backup = /node-ctl mac restore (\S+)/.exec(done.parsed.text ?? '')?.[1] ?? '';
    expect(await node.ctl('mac', 'restore', backup, '--server', 'gv2p')).toMatchObject({ code: 0 });
    expect(await phones.served()).toEqual(before);
  });

  test('a MAC that no phone has is refused before anything is asked of the server', async () => {
    const subject = `MACCHANGE=3010 MACATUAL=${FIRST} MACFUTURO=01:00:5e:00:00:01 SERVER=gv2p`;
    expect((await answerTo(subject, 'refusal')).parsed.text).toContain('MACFUTURO');
  });
});

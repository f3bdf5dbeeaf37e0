import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { recordingName, wav } from '../support/audio.ts';
import { type Case, kindsTo, prepareCase } from '../support/cases.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import type { NodeUnderTest } from '../support/node.ts';
import { isKind, type ReceivedMail, waitForMails } from '../support/people.ts';
import { eventually } from '../support/process.ts';
import { eximIsIdle, settledJobs } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

const ANSWERED = ['confirmation', 'result'];
const PEOPLE = ['ana', 'bia', 'caio', 'davi', 'eva', 'fim'];
const addressOf = (who: string): string => `${who}@example.test`;

let servers: MailServers;
let it: Case;

beforeAll(async () => {
  servers = await startMailServers();
  it = await prepare(PEOPLE);
  await it.node.start();
});
afterAll(async () => {
  await it?.node[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
});

async function prepare(people: readonly string[]): Promise<Case> {
  const prepared = await prepareCase({ servers, settings: { WHITELIST: people.map(addressOf).join(',') } });
  const { recordingsDir } = prepared.node;
  await writeFile(join(recordingsDir, recordingName('1121', '3010', '20251027-080000')), wav(1000));
  return prepared;
}

/** The queue document of an old node, as its Python writes it. */
function documentOf(who: string, change: object = {}, parameters: object = {}): string {
  const [ramais, inicio, fim] = ['1121,1122', '27/10/2025 00:00', '27/10/2025 23:59'];
  const email = addressOf(who);
  return JSON.stringify(
    {
      request_id: '20251111_150122_req001',
      timestamp_received: '2025-11-11 15:01:22',
      from_email: email,
      status: 'pending',
      retries: 0,
      parameters: { ramais, inicio, fim, email, ...parameters },
      ...change,
    },
    null,
    2,
  );
}

const pathIn = ({ stateDir }: NodeUnderTest, name: string): string => join(stateDir, 'queue/pending', name);
/** As scp writes it: under its own name, in one go or more. */
const drop = (name: string, content: string): Promise<void> => writeFile(pathIn(it.node, name), content);

const gone = (name: string): Promise<unknown> =>
  eventually(`${name} to be taken`, async () => !(await pending()).includes(name));

function pending(): Promise<string[]> {
  return readdir(join(it.node.stateDir, 'queue/pending'));
}

/** Why files were set aside, by their names. */
async function asideFor(name: string): Promise<string> {
  const directory = join(it.node.stateDir, 'set-aside');
  return eventually(`${name} to be set aside`, async () => {
    const reason = (await readdir(directory)).find((one) => one.endsWith(`-${name}.reason.txt`));
    return reason === undefined ? null : readFile(join(directory, reason), 'utf8');
  });
}

async function answered(who: string): Promise<string[]> {
  await waitForMails(servers, addressOf(who), 1, isKind('result'));
  await eximIsIdle(servers);
  return kindsTo(servers, addressOf(who));
}

describe('a queue document of an old node, dropped into pending/', () => {
  test('is answered, and once where the same comes twice', async () => {
    const ana = documentOf('ana');
    await drop('req001.json', ana);
    expect(await answered('ana')).toEqual(ANSWERED);
    await drop('req001.json', ana);
    await drop('req001-again.json', ana);
    await gone('req001.json');
    await gone('req001-again.json');
    // The same name and request_id, from somebody else: another request.
    await drop('req001.json', documentOf('bia'));
    expect(await answered('bia')).toEqual(ANSWERED);
    expect(await answered('ana')).toEqual(ANSWERED);
  });

  test('is waited for while it is being written', async () => {
    const content = documentOf('caio');
    await drop('half.json', content.slice(0, 200));
    await drop('whole.json', documentOf('caio', {}, { ramais: '1133' }));
    await gone('whole.json'); // names in order: the half has been looked at by then
    expect(await pending()).toContain('half.json');
    await appendFile(pathIn(it.node, 'half.json'), content.slice(200));
    await waitForMails(servers, addressOf('caio'), 2, isKind('result'));
    expect(await answered('caio')).toEqual([...ANSWERED, ...ANSWERED].toSorted());
  });

  test('over the limits is refused by a mail to who asked', async () => {
    await drop('long.json', documentOf('davi', {}, { inicio: '01/01/2025 00:00' }));
    await drop('many.json', documentOf('davi', {}, { ramais: '112211221' }));
    const refusals = await waitForMails(servers, addressOf('davi'), 2, isKind('refusal'));
    const text = refusals.map(({ parsed }) => parsed.text).join('\n');
    expect(text).toContain('Fim (FIM)');
    expect(text).toContain('Ramais (RAMAIS)');
    await eximIsIdle(servers);
    expect(await kindsTo(servers, addressOf('davi'))).toEqual(['refusal', 'refusal']);
  });

  test('by or for somebody who is not on the whitelist is set aside, and the admin told', async () => {
    await drop('by.json', documentOf('eva', { from_email: 'x@stranger.example.test' }));
    await drop('for.json', documentOf('eva', {}, { email: 'y@stranger.example.test' }));
    expect(await asideFor('by.json')).toContain('x@stranger.example.test');
    expect(await asideFor('for.json')).toContain('y@stranger.example.test');
    const isAbout = (mail: ReceivedMail): boolean =>
      isKind('notice')(mail) && mail.raw.includes('stranger.example.test');
    expect(await waitForMails(servers, it.admin, 2, isAbout)).toHaveLength(2);
    await eximIsIdle(servers);
    expect(await kindsTo(servers, addressOf('eva'))).toEqual([]);
  });

  test('that is none, or is not to be worked, is set aside with the reason and stops nothing', async () => {
    const { node } = it;
    await writeFile(join(node.directory, 'secret'), documentOf('fim'));
    await symlink(join(node.directory, 'secret'), pathIn(node, 'link.json'));
    await mkdir(pathIn(node, 'folder.json'));
    await drop('foreign.json', '{"hello":"world"}');
    await drop('done.json', documentOf('fim', { status: 'completed' }));
    await drop('huge.json', documentOf('fim', { note: 'x'.repeat(100_000) }));
    expect(await asideFor('link.json')).toContain('not a regular file');
    expect(await asideFor('folder.json')).toContain('not a regular file');
    expect(await asideFor('foreign.json')).toContain('not a queue document');
    expect(await asideFor('done.json')).toContain('not pending');
    expect(await asideFor('huge.json')).toContain('larger than');
    await drop('good.json', documentOf('fim'));
    expect(await answered('fim')).toEqual(ANSWERED);
  });

  test('is taken once where the node was killed over it, and where it came while the node was away', async () => {
    const { node } = await prepare(['gil']);
    await using _ = node;
    const child = await node.start({ KILL_AT: 'after rename pending' });
    await writeFile(pathIn(node, 'one.json'), documentOf('gil'));
    await eventually('the node to die', () => child.process.signalCode === 'SIGKILL');
    await writeFile(pathIn(node, 'two.json'), documentOf('gil', {}, { ramais: '1133' }));
    await node.start();
    await settledJobs(node, 'RAMAIS', 2);
    await eximIsIdle(servers);
    expect(await kindsTo(servers, addressOf('gil'))).toEqual([...ANSWERED, ...ANSWERED].toSorted());
    expect(await readdir(join(node.stateDir, 'queue/pending'))).toEqual([]);
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { connectControl } from '../../node/cli/client.ts';
import { recordingName, wav } from '../support/audio.ts';
import { type MailServers, startMailServers } from '../support/exim.ts';
import { mailSource } from '../support/mails.ts';
import { TOKEN } from '../support/node.ts';
import { type Pair, type PairNode, preparePair } from '../support/pair.ts';
import { oneMaster, READY_MS } from '../support/pair-world.ts';
import { kindOf, linksOf, mailsOf, type ReceivedMail, waitForMails } from '../support/people.ts';
import { eventually, temporaryDirectory } from '../support/process.ts';
import { eximIsIdle, jobsOf } from '../support/quiet.ts';
import { needs } from '../support/requirements.ts';

const { describe, test } = needs('dovecot', 'exim');

const DATES = 'INICIO=27/10/2025 FIM=27/10/2025';
/** What the other node is to know within, the call and its fsync included. */
const AT_ONCE_MS = 5_000;

let servers: MailServers;
let recordings: Awaited<ReturnType<typeof temporaryDirectory>>;
let pair: Pair;
let asked = 0;

beforeAll(async () => {
  [servers, recordings] = await Promise.all([startMailServers(), temporaryDirectory()]);
  const day = join(recordings.path, '2025/10/27');
  await mkdir(day, { recursive: true });
  await writeFile(join(day, recordingName('1121', '3010', '20251027-080000')), wav(40_000, 1));
  pair = await preparePair({ servers, recordingsDir: recordings.path, sshd: false });
  await pair.start();
  await pair.join();
  await oneMaster(pair);
});
afterAll(async () => {
  await pair?.[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
  await recordings?.[Symbol.asyncDispose]();
});

/** Puts a request of somebody into the mailbox; gives its Message-ID. */
async function ask(from: string, subject: string): Promise<string> {
  asked += 1;
  const messageId = `<pessoas-${asked}@mail.example.test>`;
  const date = new Date().toUTCString();
  const source = { from, messageId, date, subject: `[${TOKEN}] ${subject}` };
  await servers.dovecot.deliver(pair.mailbox, mailSource(source));
  return messageId;
}

/** The answer of a kind to a request. */
async function answer(to: string, messageId: string, kind = 'result'): Promise<ReceivedMail> {
  const isIt = (mail: ReceivedMail): boolean => mail.parsed.inReplyTo === messageId && kindOf(mail) === kind;
  const [mail] = await waitForMails(servers, to, 1, isIt);
  if (mail === undefined) throw new Error('no answer');
  return mail;
}

const textOf = ({ parsed }: ReceivedMail): string => parsed.text ?? '';
const adminAsks = async (subject: string): Promise<string> =>
  textOf(await answer(pair.admin, await ask(pair.admin, subject)));

async function peopleOf({ stateDir }: PairNode) {
  const control = await connectControl(join(stateDir, 'control.sock'));
  try {
    const { people } = await control.call('people', {});
    return new Map(people.map((person) => [person.address, person]));
  } finally {
    await control.close();
  }
}

/** Waits until a node knows somebody as `role`, or not at all. */
const known = (node: PairNode, address: string, role: string | null) =>
  eventually(
    `${node.id} to know ${address} as ${role}`,
    async () => ((await peopleOf(node)).get(address)?.role ?? null) === role || null,
    AT_ONCE_MS,
  );

describe('requests by mail', () => {
  test('one that waits is shown in FILA and ended by CANCELAR, with one mail about it', async () => {
    // The recordings are at the other one: there it waits.
    if ((await oneMaster(pair)).id !== 'audio2') await pair.audio2.ctl('promote');
    await using resuming = new AsyncDisposableStack();
    await pair.audio.ctl('pause', 'queue');
    resuming.defer(async () => {
      await pair.audio.ctl('resume', 'queue');
    });
    const first = await ask(pair.requester, `RAMAIS=4444 ${DATES}`);
    await answer(pair.requester, first, 'confirmation');
    const queue = textOf(await answer(pair.requester, await ask(pair.requester, 'Fila?')));
    expect(queue).toContain('RAMAIS=4444');
    const id = /Pedido (?<id>[0-9a-f]{12})/.exec(queue)?.groups?.['id'] ?? 'none';
    const own = await jobWith(first);
    expect(own?.id.startsWith(id)).toBe(true);
    await answer(pair.requester, await ask(pair.requester, `CANCELAR=${id}`));
    await eventually('its end', async () => (await jobWith(first))?.outcome?.kind === 'cancelled' || null);
    await resuming.disposeAsync();
    await eximIsIdle(servers);
    const mails = await mailsOf(servers, pair.requester);
    expect(mails.filter(({ parsed }) => parsed.inReplyTo === first).map(kindOf)).toEqual(['confirmation']);
  });

  test('one that is done is sent again by REENVIAR, with links that work', async () => {
    const first = await ask(pair.requester, `RAMAIS=1121 ${DATES}`);
    await answer(pair.requester, first);
    const job = await jobWith(first);
    await eventually('its end', async () => (await jobWith(first))?.outcome?.kind === 'done' || null);
    await answer(pair.requester, await ask(pair.requester, `REENVIAR=${job?.id.slice(0, 12)}`));
    const isIt = (mail: ReceivedMail) => mail.parsed.inReplyTo === first && kindOf(mail) === 'result';
    const results = await waitForMails(servers, pair.requester, 2, isIt);
    const links = results.map((mail) => linksOf(mail).filter(({ url }) => url.startsWith('http'))[0]?.url);
    expect(new Set(links).size).toBe(2);
    for (const url of links) expect((await fetch(url ?? '')).status).toBe(200);
  });

  test('STATUS tells an admin which node this is', async () => {
    const { id } = await oneMaster(pair);
    expect(await adminAsks('STATUS')).toContain(id);
    expect(textOf(await answer(pair.requester, await ask(pair.requester, 'status')))).not.toContain(
      packageJson.version,
    );
  });
});

/** Has the admin let somebody in, with what `fields` say; gives what the answer says. */
const letIn = (address: string, fields = ''): Promise<string> =>
  adminAsks(`WHITELIST ADD ${address} ${fields}`.trim());

describe('WHITELIST by mail', () => {
  test('lets somebody in on both nodes at once, and tells all admins', async () => {
    const [person, second] = ['nova@example.test', 'segundo@example.test'];
    expect(await letIn(second, 'PAPEL=admin')).toContain(second);
    expect(await letIn(person, 'PAPEL=consulta RAMAIS=1121')).toContain(person);
    for (const node of pair.nodes) {
      await known(node, person, 'consulta');
      expect((await peopleOf(node)).get(person)).toMatchObject({
        extensions: ['1121'],
        added: { by: pair.admin },
      });
    }
    const isNotice = (mail: ReceivedMail) => kindOf(mail) === 'notice' && textOf(mail).includes(person);
    for (const admin of [pair.admin, second]) {
      expect(await waitForMails(servers, admin, 1, isNotice)).toHaveLength(1);
    }
  });

  test('is refused to whoever is no admin, and to the first admin about himself', async () => {
    const refused = await answer(
      pair.requester,
      await ask(pair.requester, `WHITELIST ADD outra@example.test`),
      'refusal',
    );
    expect(textOf(refused)).toMatch(/WHITELIST/);
    const own = await answer(pair.admin, await ask(pair.admin, `WHITELIST REMOVE ${pair.admin}`), 'refusal');
    expect(textOf(own)).toContain(pair.admin);
    expect((await peopleOf(pair.audio)).get(pair.admin)?.role).toBe('admin');
  });

  test('whoever was let in gets their own extensions, and no others', async () => {
    const person = 'cliente@example.test';
    await letIn(person, 'PAPEL=consulta RAMAIS=1121');
    const result = await answer(person, await ask(person, `RAMAIS=1121 ${DATES}`));
    expect(linksOf(result).filter(({ url }) => url.startsWith('http')).length).toBeGreaterThan(0);
    const refused = await answer(person, await ask(person, `RAMAIS=1121,3010 ${DATES}`), 'refusal');
    expect(textOf(refused)).toContain('3010');
    const help = await answer(person, await ask(person, 'AJUDA'));
    expect(textOf(help)).toContain('RAMAIS=1121 INICIO=');
    expect(textOf(help)).not.toMatch(/CHECKIP=|WHITELIST (?:ADD|LIST)/);
  });

  test(
    'the word counts on after a handoff and a restart, and a later one too',
    { timeout: 120_000 },
    async () => {
      const [person, other] = ['passageira@example.test', 'terceiro@example.test'];
      await letIn(other, 'PAPEL=admin');
      await letIn(person);
      const before = await oneMaster(pair);
      const next = pair.peerOf(before);
      const { code } = await next.ctl('promote');
      expect(code).toBe(0);
      expect((await oneMaster(pair)).id).toBe(next.id);
      expect(textOf(await answer(person, await ask(person, 'FILA')))).toContain('Você não tem nenhum pedido');
      // The other node is away while it is said, and is told when it is back.
      await before.child().end();
      expect(await adminAsks(`WHITELIST REMOVE ${person}`)).toContain(person);
      await before.start();
      await known(before, person, null);
      await next.child().end();
      await next.start();
      await oneMaster(pair, READY_MS);
      for (const node of pair.nodes) await known(node, person, null);
      expect((await peopleOf(next)).get(other)?.role).toBe('admin');
    },
  );
});

async function jobWith(messageId: string) {
  const jobs = await Promise.all(
    pair.nodes.map((node) => jobsOf(node, 'pending', 'processing', 'completed', 'failed')),
  );
  return jobs
    .flat()
    .find(
      ({ request, door }) =>
        request.messageId === messageId && door === 'mail' && request.command === 'RAMAIS',
    );
}

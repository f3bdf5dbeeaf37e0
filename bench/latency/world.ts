import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { recordingName, wav } from '../../test/support/audio.ts';
import type { Ceph } from '../../test/support/ceph.ts';
import { startMailServers } from '../../test/support/exim.ts';
import { mailSource } from '../../test/support/mails.ts';
import { type NodeUnderTest, PEOPLE, prepareNode, TOKEN } from '../../test/support/node.ts';
import { eventually } from '../../test/support/process.ts';
import { tap } from './tap.ts';
import { type ImapTrace, observeImap, observeSmtp, type SentTrace, type SmtpTrace } from './watch.ts';

const ANSWER_TIMEOUT_MS = 120_000;
/** Senders at the door of a mail server at once. */
const LMTP_CONNECTIONS = 4;
export const MANY_RECORDINGS = 100;
const RECORDING_BYTES = 500_000;

/** Real mail servers and one node, with everything between them passing before our eyes. */
export interface World extends AsyncDisposable {
  readonly node: NodeUnderTest;
  readonly imap: ImapTrace;
  readonly smtp: SmtpTrace;
  /** Delivers requests at once; resolves when all lie in the mailbox. Gives their Message-IDs. */
  request(count: number, subject: string): Promise<string[]>;
  /** When the server first said `* n EXISTS`, n being at least this. */
  existsMs(count: number): Promise<number>;
  /** The answer of a kind to a request. */
  answer(messageId: string, kind: 'confirmation' | 'result'): Promise<SentTrace>;
}

/** A request that finds one small recording, and one that finds a hundred. */
export const SMALL_REQUEST = 'RAMAIS=1190 INICIO=27/10/2025 FIM=27/10/2025';
export const LARGE_REQUEST = 'RAMAIS=1121 INICIO=27/10/2025 FIM=27/10/2025';

export interface WorldOptions {
  readonly s3?: { readonly ceph: Ceph; readonly bucket: string };
  readonly settings?: Readonly<Record<string, string>>;
  /** Fills RECORDINGS_DIR before the node starts; in place of what {@link SMALL_REQUEST} and {@link LARGE_REQUEST} find. */
  readonly fill?: (recordingsDir: string) => Promise<void>;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await startMailServers());
  const imap: ImapTrace = { events: [] };
  const smtp: SmtpTrace = { mails: [], connections: 0 };
  const { dovecot, exim } = servers;
  const imapTap = stack.use(
    await tap({ host: dovecot.host, port: dovecot.imapPort }, () => observeImap(imap)),
  );
  const smtpTap = stack.use(await tap({ host: exim.host, port: exim.smtpPort }, () => observeSmtp(smtp)));
  const tapped = {
    ...servers,
    dovecot: { ...dovecot, imapPort: imapTap.port },
    exim: { ...exim, smtpPort: smtpTap.port },
  };
  const settings = { LOG_LEVEL: 'info', ...options.settings };
  const node = stack.use(await prepareNode({ ...options, servers: tapped, settings }));
  await (options.fill ?? putRecordings)(node.recordingsDir);
  await node.start();
  await eventually('the node to watch its mailbox', () => imap.events.some(({ what }) => what === 'IDLE'));
  const kept = stack.move();

  return {
    ...{ node, imap, smtp },
    request: async (count, subject) => {
      const mails = Array.from({ length: count }, () => requestMail(subject));
      const share = Math.ceil(count / LMTP_CONNECTIONS);
      const deliveries = [];
      for (let start = 0; start < count; start += share) {
        const sources = mails.slice(start, start + share).map(({ source }) => source);
        deliveries.push(dovecot.fill(PEOPLE.node, sources));
      }
      await Promise.all(deliveries);
      return mails.map(({ messageId }) => messageId);
    },
    existsMs: async (count) => {
      const reached = ({ what }: { what: string }): boolean =>
        what.startsWith('EXISTS ') && Number(what.slice(7)) >= count;
      return (await eventually(`EXISTS ${count}`, () => imap.events.find(reached))).atMs;
    },
    answer: (messageId, kind) =>
      eventually(
        `the ${kind} for ${messageId}`,
        () => smtp.mails.find((mail) => mail.inReplyTo === messageId && mail.kind === kind),
        ANSWER_TIMEOUT_MS,
      ),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

let requests = 0;

function requestMail(subject: string): { messageId: string; source: string } {
  requests += 1;
  const messageId = `<bench-${requests}.${process.pid}@mail.example.test>`;
  const from = `Maria <${PEOPLE.maria}>`;
  return { messageId, source: mailSource({ from, messageId, subject: `[${TOKEN}] ${subject}` }) };
}

async function putRecordings(root: string): Promise<void> {
  const directory = join(root, '2025/10/27');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, recordingName('1190', '2000', '20251027-090000')), wav(40_000));
  for (let index = 0; index < MANY_RECORDINGS; index += 1) {
    const time = `10${String(Math.floor(index / 60)).padStart(2, '0')}${String(index % 60).padStart(2, '0')}`;
    const name = recordingName('1121', '2000', `20251027-${time}`, `1761548400.${index}`);
    await writeFile(join(directory, name), wav(RECORDING_BYTES, index));
  }
}

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import { Transform } from 'node:stream';
import { parseArgs } from 'node:util';
import { type Adapters, createAdapters } from '../../node/adapters.ts';
import { loadConfig } from '../../node/config.ts';
import type { RoleRecord } from '../../node/leadership/record.ts';
import { createNode } from '../../node/node.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { createLog } from '../../node/platform/log.ts';
import type { Job } from '../../protocol/job.ts';
import { NO_TRUST } from './no-trust.ts';

/**
 * A node as node/main.ts runs it, but for what its environment asks for: SOCKET_TIMEOUT_MS, KILL_AT and STOP_AT. It
 * kills itself with SIGKILL the first time it comes to the moment that KILL_AT names, and stands still (SIGSTOP) the
 * first time it comes to the one of STOP_AT, so that a test can change the world just then. With ARMED_BY set, moments
 * count only once that file is there. Moments:
 *
 *   STEP intent | STEP done              the word of a step is on disk
 *   before rename DIR | after rename DIR a file is moved, or renamed from its temporary name, into this directory
 *   accepted COMMAND                     a new job is on disk
 *   before line KIND | after line KIND   a line is appended to the ledger (`entry`), the audit log (its event), or the
 *                                        copy of the peer's ledger (`replica entry`)
 *   dot KIND | sent KIND                 the final dot of a mail has been written; the server has answered it
 *   find                                 a claimed job begins to search
 *   half zip | put zip                   half of a ZIP has been read by the publisher; it has been published
 *   before seen | after seen             accepted mails are marked as read
 *   before open inbox | after open inbox the mailbox is opened; likewise `close inbox`
 *   before role ROLE | after role ROLE   the role record is written: `grant` where it holds one, else its role
 */
const killAt = process.env['KILL_AT'];
const stopAt = process.env['STOP_AT'];
const armedBy = process.env['ARMED_BY'];
/** In place of the minute after which a silent IMAP server is probed. */
const socketTimeoutMs = process.env['SOCKET_TIMEOUT_MS'];
/** How much of a ZIP is "half": S3 has taken one part of the upload when so much has been read. */
const HALF_ZIP_BYTES = 12_000_000;

let stopped = false;

function at(moment: string): void {
  if (moment !== killAt && (moment !== stopAt || stopped)) return;
  if (armedBy !== undefined && !fs.existsSync(armedBy)) return;
  if (moment === killAt) process.kill(process.pid, 'SIGKILL');
  stopped = true;
  process.kill(process.pid, 'SIGSTOP');
}

/** What a role record says that is about to be written. */
function roleIn(file: string): string {
  const { role, grant } = (JSON.parse(file) as { current: RoleRecord }).current;
  return grant === null ? role : 'grant';
}

/** Watches what the node does to its files; works on what was imported by name, too. */
function watchFiles(): void {
  const { promises } = fs;
  const { rename, open } = promises;
  promises.rename = async (from, to) => {
    const directory = basename(dirname(String(to)));
    const role = basename(String(to)) === 'role.json' ? roleIn(await promises.readFile(from, 'utf8')) : null;
    if (role !== null) at(`before role ${role}`);
    at(`before rename ${directory}`);
    await rename(from, to);
    if (role !== null) at(`after role ${role}`);
    at(`after rename ${directory}`);
    if (directory !== 'pending') return;
    const { attempts, steps, request } = JSON.parse(await promises.readFile(to, 'utf8')) as Job;
    if (attempts === 0 && Object.keys(steps).length === 0) at(`accepted ${request.command}`);
  };
  promises.open = async (...args) => {
    const file = await open(...args);
    const appendFile = file.appendFile.bind(file);
    file.appendFile = async (data, options) => {
      // Several lines may be appended as one text.
      const kinds = (data as string)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const { kind, event } = JSON.parse(line) as { kind?: string; event?: string };
          return `${basename(String(args[0])) === 'ledger-peer.jsonl' ? 'replica ' : ''}${kind ?? event}`;
        });
      for (const kind of kinds) at(`before line ${kind}`);
      await appendFile(data, options);
      for (const kind of kinds) at(`after line ${kind}`);
    };
    return file;
  };
  syncBuiltinESMExports();
}

/** Watches for the final dot of the mail that is being sent; the chunk is in the kernel's hands when it is seen. */
function watchDots(kind: () => string): void {
  const { write } = Socket.prototype;
  Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof write>) {
    const taken = write.apply(this, args);
    const [chunk] = args;
    if (/(^|\n)\.\r\n$/.test(Buffer.from(chunk).toString('latin1').slice(-4))) at(`dot ${kind()}`);
    return taken;
  } as typeof write;
}

/** The adapters that are not about the peer, each watched at what it does to the world. */
function watched({ mailbox, mailer, publisher, sources }: Adapters): Partial<Adapters> {
  let sending = '';
  watchDots(() => sending);
  return {
    mailbox: {
      open: async (signal) => {
        at('before open inbox');
        const session = await mailbox.open(signal);
        at('after open inbox');
        const close = async (): Promise<void> => {
          at('before close inbox');
          await session.close();
          at('after close inbox');
        };
        const markAccepted = async (uids: readonly number[]): Promise<void> => {
          at('before seen');
          await session.markAccepted(uids);
          at('after seen');
        };
        return { ...session, markAccepted, close };
      },
    },
    mailer: {
      ...mailer,
      send: async (mail, signal) => {
        sending = /\.([a-z]+)\.\d+@/.exec(mail.messageId)?.[1] ?? '';
        const answer = await mailer.send(mail, signal);
        at(`sent ${sending}`);
        return answer;
      },
    },
    publisher: {
      ...publisher,
      put: async (object, body, signal) => {
        if (object.contentType !== 'application/zip') return publisher.put(object, body, signal);
        let bytes = 0;
        const count = new Transform({
          transform: (chunk: Buffer, _encoding, done) => {
            bytes += chunk.length;
            if (bytes > HALF_ZIP_BYTES) at('half zip');
            done(null, chunk);
          },
        });
        body.on('error', (error) => count.destroy(error));
        const size = await publisher.put(object, body.pipe(count), signal);
        at('put zip');
        return size;
      },
    },
    sources: new Map(
      [...sources].map(([name, source]) => {
        const find: typeof source.find = (...args) => {
          at('find');
          return source.find(...args);
        };
        return [name, { ...source, find }] as const;
      }),
    ),
  };
}

process.umask(0o077);
const { values } = parseArgs({ options: { config: { type: 'string', default: '' } } });
const { config, warnings } = await loadConfig({ file: values.config, env: process.env });
if (socketTimeoutMs !== undefined) Object.assign(config.mail, { socketTimeoutMs: Number(socketTimeoutMs) });
const write = (line: string): unknown => process.stdout.write(line);
const log = createLog({ level: config.logLevel, style: 'terminal', write });
const isWatched = killAt !== undefined || stopAt !== undefined;
if (isWatched) watchFiles();
const node = await createNode(config, {
  log,
  warnings,
  adapters: isWatched ? watched(await createAdapters(config, NO_TRUST, systemClock, log)) : {},
  observeStep: (_job, step, word) => at(`${step} ${word}`),
});
process.once('SIGTERM', () => void node[Symbol.asyncDispose]());
await node.start();

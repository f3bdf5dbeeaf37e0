import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Child, eventually, freePort, startChild } from '../test/support/process.ts';
import type { MailServers } from './mail-servers.ts';

const ROOT = resolve(import.meta.dirname, '..');
const READY_TIMEOUT_MS = 20_000;
/** A node that does not end by itself in this time is killed. */
const STOP_TIMEOUT_MS = 5_000;

/** The people of the demo. */
export const ADDRESSES = {
  node: 'gravacoes@example.com',
  requester: 'ana@example.com',
  admin: 'admin@example.com',
} as const;

export interface NodeOptions {
  readonly directory: string;
  readonly servers: MailServers;
  readonly password: string;
  readonly token: string;
  readonly recordings: string;
  readonly timeZone: string;
}

export interface NodeProcess extends AsyncDisposable {
  readonly publicUrl: string;
  readonly configFile: string;
  /** What it has logged so far. */
  log(): string;
  /** Rejects when the process ends. */
  readonly ended: Promise<never>;
}

/** Starts one node, `node node/main.ts --config FILE`, as an administrator would; resolves when it reads the mailbox. */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const { directory, servers } = options;
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const configFile = join(directory, 'node.conf');
  await mkdir(join(directory, 'state'), { mode: 0o700 });
  await writeFile(join(directory, 'tokens.txt'), `${options.token}\n`, { mode: 0o600 });
  await writeFile(configFile, configuration(options, port, publicUrl), { mode: 0o600 });

  const args = [join(ROOT, 'node/main.ts'), '--config', configFile];
  // The environment goes over the file, and this machine's may hold a MODE or an SMTP_SERVER of somebody else.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: process.env['TMPDIR'] };
  const child = startChild(process.execPath, args, { cwd: ROOT, env });
  const ended = new Promise<never>((_, reject) => {
    child.process.once('close', (code, signal) =>
      reject(new Error(`the node ended (${signal ?? `exit ${code}`})`)),
    );
  });
  ended.catch(() => undefined); // Whoever waits for something races against it; nobody else is told.
  const node = {
    publicUrl,
    configFile,
    ended,
    log: () => child.output(),
    [Symbol.asyncDispose]: () => stop(child),
  };
  try {
    const ready = eventually('the node reads its mailbox', () => servers.isInboxOpen(), READY_TIMEOUT_MS);
    await Promise.race([ready, ended]);
    return node;
  } catch (error) {
    await stop(child);
    throw new Error(`${(error as Error).message}; its log:\n${child.output()}`, { cause: error });
  }
}

function configuration(options: NodeOptions, port: number, publicUrl: string): string {
  const { directory, servers, password } = options;
  const settings: Readonly<Record<string, string | number>> = {
    NODE_ID: 'audio',
    MODE: 'master',
    STATE_DIR: join(directory, 'state'),
    EMAIL_SERVICE: ADDRESSES.node,
    EMAIL_PASSWORD: password,
    IMAP_SERVER: '127.0.0.1',
    IMAP_PORT: servers.imapPort,
    IMAP_TLS: 'none',
    SENT_MAILBOX: servers.sentMailbox,
    SMTP_SERVER: '127.0.0.1',
    SMTP_PORT: servers.smtpPort,
    SMTP_TLS: 'none',
    SMTP_PASSWORD: password,
    WHITELIST: `${ADDRESSES.requester}, ${ADDRESSES.admin}`,
    ADMIN_EMAIL: ADDRESSES.admin,
    TOKEN_FILE: join(directory, 'tokens.txt'),
    SOURCES: 'audio',
    RECORDINGS_DIR: options.recordings,
    RECORDINGS_TZ: options.timeZone,
    PUBLISH: 'web',
    WEB_LISTEN: `127.0.0.1:${port}`,
    PUBLIC_URL: publicUrl,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

async function stop(child: Child): Promise<void> {
  const timer = setTimeout(() => child.process.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await child.end('SIGTERM');
  clearTimeout(timer);
}

import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ceph } from './ceph.ts';
import type { MailServers } from './exim.ts';
import { type Child, eventually, freePort, startChild, temporaryDirectory } from './process.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The Node that runs the tests is the pinned one. */
const RUNTIME = process.execPath;

/** Addresses of everybody in these tests; all mailboxes exist on the real servers. */
export const PEOPLE = {
  node: 'comandos@example.test',
  admin: 'admin@example.test',
  maria: 'maria@example.test',
  stranger: 'stranger@example.test',
} as const;

export const TOKEN = 'A1B2C3D4';

/** A node as a process, with a directory of its own that outlives a kill. */
export interface NodeUnderTest extends AsyncDisposable {
  readonly directory: string;
  readonly stateDir: string;
  readonly recordingsDir: string;
  readonly configFile: string;
  readonly publicUrl: string;
  /** Starts it (again); resolves when it works. `env` reaches the process. */
  start(env?: Readonly<Record<string, string>>): Promise<Child>;
  /** The process now running. */
  child(): Child;
  /** Runs node-ctl against it. */
  ctl(...args: string[]): Promise<Ran>;
  /** The same with a line typed at the question it asks. */
  ctlTyping(typed: string, ...args: string[]): Promise<Ran>;
}

/** How a command ended, and what it printed. */
export interface Ran {
  readonly code: number;
  readonly out: string;
}

export interface NodeOptions {
  readonly servers: MailServers;
  /** Publishes into this bucket of Ceph; else on the node's own web listener. */
  readonly s3?: { readonly ceph: Ceph; readonly bucket: string };
  readonly settings?: Readonly<Record<string, string>>;
  /** In place of node/main.ts. */
  readonly main?: string;
  /** In place of a temporary directory; it is then not removed. */
  readonly directory?: string;
  /** In place of the home directory of the account that runs the tests. */
  readonly home?: string;
  /** Put in front of its command, as to run it in a network namespace. */
  readonly within?: readonly string[];
}

/** Prepares a node with its configuration; it is not started. */
export async function prepareNode(options: NodeOptions): Promise<NodeUnderTest> {
  const temporary = options.directory === undefined ? await temporaryDirectory() : null;
  const directory = options.directory ?? temporary?.path ?? '';
  const recordingsDir = join(directory, 'recordings');
  const stateDir = join(directory, 'state');
  const configFile = join(directory, 'node.conf');
  await mkdir(recordingsDir, { recursive: true });
  await writeFile(join(directory, 'tokens.txt'), `${TOKEN}\n`, { mode: 0o600 });
  const webPort = await freePort();
  const settings: Record<string, string> = {
    ...settingsFor(options, directory, webPort),
    ...options.settings,
  };
  const publicUrl = settings['PUBLIC_URL'] ?? '';
  const home: Record<string, string> = options.home === undefined ? {} : { HOME: options.home };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(configFile, lines.join(''));
  await chmod(configFile, 0o600);

  let current: Child | null = null;
  const child = (): Child => {
    if (current === null) throw new Error('the node was not started');
    return current;
  };
  const ctl = async (typed: string | null, args: readonly string[]): Promise<Ran> => {
    const ran = startChild(join(ROOT, 'deploy/node-ctl'), ['--config', configFile, ...args], {
      env: cleanEnvironment(home),
      stdio: [typed === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    ran.process.stdin?.end(`${typed}\n`);
    await eventually('node-ctl to end', () => ran.process.exitCode !== null, 60_000);
    await ran.end();
    return { code: ran.process.exitCode ?? -1, out: ran.output() };
  };
  return {
    ...{ directory, stateDir, recordingsDir, configFile, publicUrl, child },
    start: async (env = {}) => {
      await rm(join(stateDir, 'control.sock'), { force: true });
      const main = options.main ?? join(ROOT, 'node/main.ts');
      const [program, ...args] = [...(options.within ?? []), RUNTIME, main, '--config', configFile];
      const started = startChild(program, args, { env: cleanEnvironment({ ...home, ...env }) });
      current = started;
      const ended = (): boolean => started.process.exitCode !== null || started.process.signalCode !== null;
      await eventually('the node to work', () => ended() || /\bworking node=/.test(started.output()));
      if (started.process.exitCode !== null) throw new Error(`the node ended: ${started.output()}`);
      return started;
    },
    ctl: (...args) => ctl(null, args),
    ctlTyping: (typed, ...args) => ctl(typed, args),
    [Symbol.asyncDispose]: async () => {
      await current?.end('SIGKILL');
      await temporary?.[Symbol.asyncDispose]();
    },
  };
}

/** Test runners set variables that are keys of ours (`MODE`). Compiled code is kept: nodes start many times. */
function cleanEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  const { PATH = '', HOME = '/' } = process.env;
  return { PATH, HOME, NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/compiled'), ...env };
}

function settingsFor(
  { servers, s3 }: NodeOptions,
  directory: string,
  webPort: number,
): Record<string, string> {
  const { dovecot, exim } = servers;
  const publishing: Record<string, string> =
    s3 === undefined
      ? { PUBLISH: 'web' }
      : {
          PUBLISH: 's3',
          S3_BUCKET: s3.bucket,
          S3_ENDPOINT: s3.ceph.endpoint,
          S3_REGION: s3.ceph.region,
          S3_ACCESS_KEY_ID: s3.ceph.accessKey,
          S3_SECRET_ACCESS_KEY: s3.ceph.secretKey,
          S3_PUBLISH_PREFIX: 'entregas',
        };
  return {
    NODE_ID: 'audio',
    MODE: 'master',
    EMAIL_SERVICE: PEOPLE.node,
    EMAIL_PASSWORD: dovecot.password,
    ADMIN_EMAIL: PEOPLE.admin,
    WHITELIST: PEOPLE.maria,
    TOKEN_FILE: join(directory, 'tokens.txt'),
    SENDER_AUTH: 'off',
    // Suites send more in a minute than people do in a day.
    REPLIES_PER_SENDER: '10000',
    REPLIES_PER_DAY: '100000',
    IMAP_SERVER: dovecot.host,
    IMAP_PORT: String(dovecot.imapPort),
    IMAP_TLS: 'none',
    SMTP_SERVER: exim.host,
    SMTP_PORT: String(exim.smtpPort),
    SMTP_TLS: 'none',
    SENT_MAILBOX: 'Sent',
    SOURCES: 'audio',
    STATE_DIR: join(directory, 'state'),
    RECORDINGS_DIR: join(directory, 'recordings'),
    WEB_LISTEN: `127.0.0.1:${webPort}`,
    // Without it the bucket answers its links by itself.
    ...(s3 === undefined ? { PUBLIC_URL: `http://127.0.0.1:${webPort}` } : {}),
    LOG_LEVEL: 'debug',
    // Some work on disks of a few megabytes.
    DISK_HEADROOM_BYTES: '0',
    ...publishing,
  };
}

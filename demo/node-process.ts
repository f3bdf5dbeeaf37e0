import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { connectControl, type ControlClient } from '../node/cli/client.ts';
import { type Child, eventually, startChild } from '../test/support/process.ts';

const ROOT = resolve(import.meta.dirname, '..');
const NODE_CTL = join(ROOT, 'deploy/node-ctl');
const READY_TIMEOUT_MS = 20_000;
const CTL_TIMEOUT_MS = 30_000;
/** A node that does not end by itself in this time is killed. */
const STOP_TIMEOUT_MS = 5_000;

export type NodeId = 'audio' | 'audio2' | 'filial';

export interface NodeOptions {
  readonly id: NodeId;
  /** What its host has: the configuration, the state, the home of its user. */
  readonly directory: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** Whether its clock can be put forward. */
  readonly canLeap?: boolean;
}

export interface NodeProcess extends AsyncDisposable {
  readonly id: NodeId;
  /** What its host has. */
  readonly directory: string;
  readonly configFile: string;
  /** What an operator types before `status` and the like. */
  readonly ctlCommand: string;
  /** Runs node-ctl against it, and gives what it printed. @throws Error where it does not end well */
  ctl(...args: string[]): Promise<string>;
  /** The same calls without a process for each. */
  readonly control: ControlClient;
  /** What it has logged so far. */
  log(): string;
  /** Puts the clock of a node that can leap forward by so much more. */
  leap(by: Temporal.Duration): void;
  /** Rejects when the process ends. */
  readonly ended: Promise<never>;
}

/** Starts one node, `node node/main.ts --config FILE`, as an administrator would; resolves when it works. */
export async function startNode(options: NodeOptions): Promise<NodeProcess> {
  const { id, directory, canLeap = false } = options;
  const configFile = join(directory, 'node.conf');
  const stateDir = join(directory, 'state');
  await mkdir(stateDir, { mode: 0o700, recursive: true });
  const settings = { NODE_ID: id, STATE_DIR: stateDir, ...options.settings };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  await writeFile(configFile, lines.join(''), { mode: 0o600 });

  // The environment goes over the file, and this machine's may hold a MODE or an SMTP_SERVER of somebody else.
  const env = {
    PATH: process.env['PATH'],
    HOME: homeOf(directory),
    TMPDIR: process.env['TMPDIR'],
  };
  const args = [join(ROOT, canLeap ? 'demo/leaping-node.ts' : 'node/main.ts'), '--config', configFile];
  const stdin = canLeap ? 'pipe' : 'ignore';
  const child = startChild(process.execPath, args, { cwd: ROOT, env, stdio: [stdin, 'pipe', 'pipe'] });
  const ended = new Promise<never>((_, reject) => {
    child.process.once('close', (code, signal) =>
      reject(new Error(`the node ${id} ended (${signal ?? `exit ${code}`})`)),
    );
  });
  ended.catch(() => undefined); // Whoever waits for something races against it; nobody else is told.
  const control = await connectControl(join(stateDir, 'control.sock'));
  const stop = async (): Promise<void> => {
    await control.close();
    await end(child);
  };
  try {
    const works = eventually(`${id} works`, () => control.call('status', {}), READY_TIMEOUT_MS, 50);
    await Promise.race([works, ended]);
  } catch (error) {
    await stop();
    throw new Error(`${(error as Error).message}; its log:\n${child.output()}`, { cause: error });
  }
  return {
    ...{ id, directory, configFile, ended, control },
    ctlCommand: `deploy/node-ctl --config ${configFile}`,
    ctl: (...words) => runNodeCtl(['--config', configFile, ...words], env),
    log: () => child.output(),
    leap: (by) => void child.process.stdin?.write(`${by.toString()}\n`),
    [Symbol.asyncDispose]: stop,
  };
}

/** The home of the user that a host's node runs as: there lie the keys that may log in. */
export function homeOf(directory: string): string {
  return join(directory, 'home');
}

async function runNodeCtl(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  await using ran = startChild(NODE_CTL, args, { cwd: ROOT, env });
  await eventually('node-ctl to end', () => ran.process.exitCode !== null, CTL_TIMEOUT_MS);
  await ran.end();
  // What is left when a command line is: `pair accept` is given a secret.
  const shown = args.slice(2, 4).join(' ');
  if (ran.process.exitCode !== 0)
    throw new Error(`node-ctl ${shown} ended with ${ran.process.exitCode}: ${ran.output()}`);
  return ran.output().trim();
}

async function end(child: Child): Promise<void> {
  const timer = setTimeout(() => child.process.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await child.end('SIGTERM');
  clearTimeout(timer);
}

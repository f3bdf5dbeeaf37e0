import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { missingOf } from '../../test/support/requirements.ts';
import type { Asked } from './names.ts';

/** Something that finds: how many it found. What it prints counts when it has come here, sorted out by date. */
export interface Peer {
  readonly name: string;
  find(root: string, asked: Asked): Promise<number>;
}

const either = ({ extensions }: Asked): string => extensions.join('|');
const regexOf = (asked: Asked): string =>
  `[A-Za-z]+-((${either(asked)})-[^-]*|[^-]*-(${either(asked)}))-[0-9]{8}-[0-9]{6}-`;

/** Those that this machine has. */
export function peers(): { readonly peers: readonly Peer[]; readonly missing: readonly string[] } {
  const found: Peer[] = [{ name: 'find -regex', find: findWithRegex }];
  const missing = missingOf(['search-tools', 'python']);
  if (!missing.includes('search-tools')) {
    found.push({ name: 'fd', find: findWithFd }, { name: 'rg --files | rg', find: findWithRg });
  }
  if (!missing.includes('python')) {
    // What stands on the PATH may be a wrapper that takes its time.
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).trim();
    found.push(
      { name: 'Python os.scandir', find: (root, asked) => findWithPython(python, 'scandir', root, asked) },
      { name: OLD_SCRIPT, find: (root, asked) => findWithPython(python, 'old', root, asked) },
    );
  }
  return { peers: found, missing };
}

export const OLD_SCRIPT = 'Python, as the old script';

function findWithRegex(root: string, asked: Asked): Promise<number> {
  const regex = `.*/${regexOf(asked)}[^/]*`;
  const child = start('find', [root, '-regextype', 'posix-extended', '-type', 'f', '-regex', regex]);
  return countHits(asked, child);
}

function findWithFd(root: string, asked: Asked): Promise<number> {
  return countHits(asked, start('fdfind', ['--unrestricted', '--type', 'f', `^${regexOf(asked)}`, root]));
}

function findWithRg(root: string, asked: Asked): Promise<number> {
  const files = start('rg', ['--files', '-uu', root]);
  const filter = spawn('rg', ['--no-line-number', `/${regexOf(asked)}[^/]*$`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  files.stdout?.pipe(filter.stdin);
  return countHits(asked, filter);
}

function findWithPython(python: string, how: string, root: string, asked: Asked): Promise<number> {
  const script = join(import.meta.dirname, 'walk.py');
  return countHits(
    asked,
    start(python, [script, how, root, asked.start, asked.end, asked.extensions.join(',')]),
  );
}

function start(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function countHits({ start: first, end: last }: Asked, child: ChildProcess): Promise<number> {
  const ended = once(child, 'close');
  if (child.stdout === null) throw new Error('nothing to read');
  const digits = (wallTime: string): string => wallTime.replaceAll(/\D/g, '');
  const [from, to] = [digits(first), digits(last)];
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [, day = '', time = ''] = /-(\d{8})-(\d{6})-[^/]*$/.exec(line) ?? [];
    if (day + time >= from && day + time <= to) count += 1;
  }
  await ended;
  return count;
}

/** How long a plain listing of all names takes: what a build is compared with. */
export async function listAll(root: string): Promise<void> {
  const child = spawn('find', [root], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  await once(child, 'close');
}

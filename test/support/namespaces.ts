import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { pathWithDaemons } from './programs.ts';

const run = promisify(execFile);
/** Of 198.18.0.0/15, which is set apart for tests (RFC 2544 appendix C.2.2): the hub's network, and that of the link. */
const HUB = 18;
const LINK = 19;
const ATTEMPTS = 5;

/** A host of its own, as far as the network goes. */
export interface Namespace {
  readonly name: string;
  /** By which it and the servers of the test reach each other. */
  readonly address: string;
  /** By which it and the other host reach each other. */
  readonly linkAddress: string;
  /** What is to be put in front of a program's command so that it runs there. */
  readonly within: readonly string[];
}

/** Two hosts, each joined to this one, and to one another by a link that can be cut. */
export interface Namespaces extends AsyncDisposable {
  /** Address of this host (where the tests and servers run) that both reach. */
  readonly hubAddress: string;
  readonly hosts: readonly [Namespace, Namespace];
  /** Pulls the cable between the two, or puts it in again. */
  setLink(up: boolean): Promise<void>;
}

let able: boolean | null = null;
let made = 0;

/** Whether this process may make network namespaces and join them. */
export function canMakeNamespaces(): boolean {
  able ??= tryToMake();
  return able;
}

function tryToMake(): boolean {
  const name = `par-try-${process.pid}`;
  const attempt = (...args: string[]): void => {
    execFileSync('ip', args, { stdio: 'ignore', env: { ...process.env, PATH: pathWithDaemons() } });
  };
  try {
    attempt('netns', 'add', name);
    try {
      attempt('-n', name, 'link', 'add', 'name', 'bridge0', 'type', 'bridge');
      attempt('-n', name, 'link', 'add', 'name', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
      return true;
    } finally {
      attempt('netns', 'del', name);
    }
  } catch {
    return false;
  }
}

export async function makeNamespaces(): Promise<Namespaces> {
  for (let attempt = 1; ; attempt += 1) {
    const stack = new AsyncDisposableStack();
    try {
      return await build(stack);
    } catch (error) {
      await stack.disposeAsync();
      if (attempt === ATTEMPTS) throw error; // else the network was somebody's already
    }
  }
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args, { env: { ...process.env, PATH: pathWithDaemons() } });
}

async function build(stack: AsyncDisposableStack): Promise<Namespaces> {
  made += 1;
  const label = `${process.pid % 100_000}x${made}`;
  const net = Math.floor(Math.random() * 256);
  const address = (kind: number, host: number): string => `198.${kind}.${net}.${host}`;
  const bridge = `parb${label}`; // names of interfaces have up to 15 characters
  await ip('link', 'add', 'name', bridge, 'type', 'bridge');
  stack.defer(() => ip('link', 'del', bridge));
  await ip('addr', 'add', `${address(HUB, 1)}/24`, 'dev', bridge);
  await ip('link', 'set', bridge, 'up');
  const names = [`par-a-${label}`, `par-b-${label}`] as const;
  for (const [index, name] of names.entries()) {
    await ip('netns', 'add', name);
    stack.defer(() => ip('netns', 'del', name));
    const end = `parv${label}${index}`;
    await ip('link', 'add', 'name', end, 'type', 'veth', 'peer', 'name', 'hub', 'netns', name);
    await ip('link', 'set', end, 'master', bridge, 'up');
    await ip('-n', name, 'addr', 'add', `${address(HUB, 2 + index)}/24`, 'dev', 'hub');
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'link', 'set', 'hub', 'up');
  }
  const [a, b] = names;
  await ip('link', 'add', 'name', 'pair', 'netns', a, 'type', 'veth', 'peer', 'name', 'pair', 'netns', b);
  for (const [index, name] of names.entries()) {
    await ip('-n', name, 'addr', 'add', `${address(LINK, 2 + index)}/24`, 'dev', 'pair');
    await ip('-n', name, 'link', 'set', 'pair', 'up');
  }
  const host = (name: string, index: number): Namespace => ({
    name,
    address: address(HUB, 2 + index),
    linkAddress: address(LINK, 2 + index),
    within: ['ip', 'netns', 'exec', name],
  });
  return {
    hubAddress: address(HUB, 1),
    hosts: [host(a, 0), host(b, 1)],
    // One side's interface goes down and has no route; the other's stays up and talks to nobody.
    setLink: (up) => ip('-n', a, 'link', 'set', 'pair', up ? 'up' : 'down'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

import { posix } from 'node:path';
import { AppError } from '../../node/platform/errors.ts';
import type { Server } from '../../node/servers/inventory.ts';
import type { Ran, Remote, RemoteFiles, RemoteSession, RemoteStat } from '../../node/servers/remote.ts';

/** A file or directory of a server in memory. */
export interface MemoryEntry extends Omit<RemoteStat, 'sizeBytes'> {
  readonly content: Buffer;
}

type Program = (argv: readonly string[], input: string, signal: AbortSignal) => Ran | Promise<Ran>;

/** What is about to happen, or has happened: `read /etc/x`, `replace /a /b`, `run fail2ban-client status`. */
export interface Operation {
  /** From 1 on, over all sessions of the server. */
  readonly number: number;
  readonly what: string;
  /** The name of the function: `read`, `create`, `run`. */
  readonly kind: string;
  /** Ends all its sessions: this operation and those after it fail with `server.unreachable`. */
  disconnect(): void;
}

/** A server in memory: its files, its programs, and what goes wrong with it. */
export interface MemoryServer {
  /** Every path there is; `/` and `/tmp` from the beginning. */
  readonly entries: Map<string, MemoryEntry>;
  /** Writes a file and the directories above it. */
  write(path: string, content: string | Buffer, like?: Partial<MemoryEntry>): void;
  /** Its text. */
  text(path: string): string;
  /** The paths below a directory. */
  below(path: string): string[];
  /** What `run` finds under the name `argv[0]`; other names end with status 127, as a shell ends them. */
  readonly programs: Map<string, Program>;
  /** What was done, as {@link Operation.what}. */
  readonly log: string[];
  /** Thrown by `open` while set. */
  refusal: AppError | null;
  /** False: as sshd without a subsystem sftp. */
  hasSftp: boolean;
  /** The user that logs in; uid 0 may give files away. */
  uid: number;
  /** Called before each operation; what it throws is what the operation comes to. */
  before: ((operation: Operation) => void) | null;
  /** Called after each operation took effect; what it throws comes in place of its result. */
  after: ((operation: Operation) => void) | null;
  /** Sessions that are open. */
  readonly sessions: ReadonlySet<object>;
}

export interface MemoryRemote extends Remote {
  /** The server of an id; made empty when it is first asked for. */
  at(id: string): MemoryServer;
}

/** SIP servers in memory; held to the same contract as the real adapter (remote-contract.ts). */
export function createMemoryRemote(): MemoryRemote {
  const servers = new Map<string, World>();
  const world = (id: string): World => {
    const known = servers.get(id) ?? createWorld();
    servers.set(id, known);
    return known;
  };
  return {
    at: (id) => world(id).server,
    open: async (server: Server, signal) => {
      signal.throwIfAborted();
      const found = world(server.id);
      if (found.server.refusal !== null) throw found.server.refusal;
      return openSession(found, signal);
    },
  };
}

interface World {
  readonly server: MemoryServer;
  readonly open: Set<{ isOpen: boolean; readonly over: AbortController }>;
  number: number;
}

const lost = (): AppError =>
  new AppError('server.unreachable', 'the connection was lost', { retriable: true });

function createWorld(): World {
  const open: World['open'] = new Set();
  const entries: MemoryServer['entries'] = new Map();
  for (const path of ['/', '/tmp']) entries.set(path, directory(0o755, 0));
  const server: MemoryServer = {
    ...{ entries, programs: new Map(), log: [], refusal: null, hasSftp: true, uid: 0 },
    ...{ before: null, after: null, sessions: open },
    write: (path, content, like = {}) => {
      for (let above = posix.dirname(path); !entries.has(above); above = posix.dirname(above))
        entries.set(above, directory(0o755, 0));
      const made = { mode: 0o644, uid: 0, gid: 0, mtime: 1_760_000_000, kind: 'file' as const, ...like };
      entries.set(path, { ...made, content: Buffer.from(content) });
    },
    text: (path) => entries.get(path)?.content.toString() ?? '',
    below: (path) => [...entries.keys()].filter((name) => name.startsWith(`${path}/`)).toSorted(),
  };
  return { server, open, number: 0 };
}

function directory(mode: number, uid: number): MemoryEntry {
  return { mode, uid, gid: uid, mtime: 1_760_000_000, kind: 'directory', content: Buffer.alloc(0) };
}

function openSession(world: World, signal: AbortSignal): RemoteSession {
  const { server, open } = world;
  const session = { isOpen: true, over: new AbortController() };
  open.add(session);
  const end = (each: typeof session): void => {
    each.isOpen = false;
    open.delete(each);
    each.over.abort();
  };
  const close = (): void => end(session);
  signal.addEventListener('abort', close, { once: true });

  async function act<T>(kind: string, words: readonly string[], work: () => T | Promise<T>): Promise<T> {
    await Promise.resolve(); // as the real one, never within the call
    signal.throwIfAborted();
    if (!session.isOpen) throw lost();
    world.number += 1;
    const what = [kind, ...words].join(' ');
    const disconnect = (): void => [...open].forEach(end);
    const operation: Operation = { number: world.number, kind, what, disconnect };
    server.log.push(what);
    server.before?.(operation);
    if (!session.isOpen) throw lost();
    const result = await work();
    server.after?.(operation);
    signal.throwIfAborted();
    if (!session.isOpen) throw lost();
    return result;
  }

  return {
    run: (argv, options = {}) => {
      const { input = '', timeoutMs = 20_000 } = options;
      return act('run', argv, () => runProgram(server, argv, input, session.over.signal, timeoutMs));
    },
    files: () =>
      act('files', [], () => {
        if (!server.hasSftp) throw new AppError('server.no-sftp', 'no SFTP');
        return filesOf(server, act);
      }),
    close,
  };
}

async function runProgram(
  server: MemoryServer,
  argv: readonly string[],
  input: string,
  over: AbortSignal,
  timeoutMs: number,
): Promise<Ran> {
  const program = server.programs.get(argv[0] ?? '');
  if (program === undefined) return { code: 127, stdout: '', stderr: `sh: 1: ${argv[0] ?? ''}: not found\n` };
  const late = AbortSignal.timeout(timeoutMs);
  const ended = AbortSignal.any([late, over]);
  const { promise: stop, reject } = Promise.withResolvers<never>();
  stop.catch(() => undefined); // it may have ended by itself
  ended.addEventListener('abort', () =>
    reject(over.aborted ? lost() : new AppError('server.timeout', 'too long', { retriable: true })),
  );
  const ran = await Promise.race([Promise.resolve(program(argv, input, ended)), stop]);
  if (ran.stdout.length + ran.stderr.length > 1_048_576)
    throw new AppError('server.too-much-output', 'too much');
  return ran;
}

type Act = <T>(kind: string, words: readonly string[], work: () => T) => Promise<T>;

function filesOf(server: MemoryServer, act: Act): RemoteFiles {
  const { entries } = server;
  const fail = (code: string, path: string): AppError =>
    new AppError(code, `${path}: ${code}`, { retriable: code === 'server.disk-full' });
  const found = (path: string): MemoryEntry => {
    if (!path.startsWith('/')) throw fail('server.file', path);
    const entry = entries.get(path);
    if (entry === undefined) throw fail('server.no-file', path);
    return entry;
  };
  /** A name that nobody has, in a directory that is there. */
  const free = (path: string): void => {
    if (!path.startsWith('/')) throw fail('server.file', path);
    if (found(posix.dirname(path)).kind !== 'directory') throw fail('server.no-file', path);
    if (entries.has(path)) throw fail('server.exists', path);
  };
  const move = (from: string, to: string): void => {
    const entry = found(from);
    const inside = [...entries].filter(([path]) => path.startsWith(`${from}/`));
    for (const [path, child] of inside) {
      entries.delete(path);
      entries.set(to + path.slice(from.length), child);
    }
    entries.delete(from);
    entries.set(to, entry);
  };
  const regular = (path: string): MemoryEntry => {
    const entry = found(path);
    if (entry.kind === 'link') return regular(posix.resolve(posix.dirname(path), entry.content.toString()));
    if (entry.kind !== 'file') throw fail('server.file', path);
    return entry;
  };
  const childrenOf = (path: string): string[] =>
    [...entries.keys()].filter((name) => name !== '/' && posix.dirname(name) === path);

  return {
    read: (path, maxBytes) =>
      act('read', [path], () => {
        const { content } = regular(path);
        if (content.length > maxBytes) throw fail('server.too-large', path);
        return Buffer.from(content);
      }),
    stat: (path) =>
      act('stat', [path], () => {
        const { content, ...entry } = found(path);
        return { ...entry, sizeBytes: content.length };
      }),
    list: (path, max) =>
      act('list', [path], () => {
        if (found(path).kind !== 'directory') throw fail('server.no-file', path);
        const names = childrenOf(path).map((name) => posix.basename(name));
        if (names.length > max) throw fail('server.too-large', path);
        return names;
      }),
    create: (path, content, { mode, uid = server.uid, gid = server.uid }) =>
      act('create', [path], () => {
        free(path);
        if (server.uid !== 0 && (uid !== server.uid || gid !== server.uid)) throw fail('server.denied', path);
        entries.set(path, {
          mode,
          uid,
          gid,
          mtime: 1_760_000_100,
          kind: 'file',
          content: Buffer.from(content),
        });
      }),
    replace: (from, to) =>
      act('replace', [from, to], () => {
        if (found(from).kind !== 'directory' && entries.get(to)?.kind === 'directory')
          throw fail('server.file', to);
        found(posix.dirname(to));
        move(from, to);
      }),
    rename: (from, to) =>
      act('rename', [from, to], () => {
        found(from);
        free(to);
        move(from, to);
      }),
    remove: (path) =>
      act('remove', [path], () => {
        if (entries.get(path)?.kind === 'directory') throw fail('server.file', path);
        entries.delete(path);
      }),
    makeDirectory: (path, mode) =>
      act('makeDirectory', [path], () => {
        free(path);
        entries.set(path, directory(mode, server.uid));
      }),
    removeDirectory: (path) =>
      act('removeDirectory', [path], () => {
        if (found(path).kind !== 'directory' || childrenOf(path).length > 0) throw fail('server.file', path);
        entries.delete(path);
      }),
  };
}

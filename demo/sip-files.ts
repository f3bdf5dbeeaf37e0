import type { Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { sep } from 'node:path';
import ssh2, { type Attributes, type SFTPWrapper } from 'ssh2';

const { STATUS_CODE, flagsToString } = ssh2.utils.sftp;
/** A greeting of version 3 (draft-ietf-secsh-filexfer-02 section 4), and that a file can be replaced in one step. */
const GREETING = Buffer.from([0, 0, 0, 5, 2, 0, 0, 0, 3]);
const REPLACE = 'posix-rename@openssh.com';
const FSYNC = 'fsync@openssh.com';
const EXTENSION_VERSION = '1';

/** What ssh2 does not show of an SFTP server: by which it writes. */
interface Writing {
  readonly _protocol: { channelData(id: number, data: Buffer): unknown };
}

type Entry = FileHandle | { names: readonly string[] };

/** One session of SFTP. */
interface World {
  readonly sftp: SFTPWrapper;
  /** A path, where it is one that is served. @throws an error with the code EACCES */
  below(path: string): string;
  keep(entry: Entry): Buffer;
  entryOf(handle: Buffer): Entry;
  fileOf(handle: Buffer): FileHandle;
  forget(handle: Buffer): void;
  /** Told when one file has taken the place of another. */
  onReplaced(): void;
  /** Answers a request by what `work` gives, or by "ok" where that is nothing, or by what went wrong. */
  act(id: number, work: () => Promise<unknown>): void;
}

/** The answer to a request that has one of its own. */
class Reply {
  readonly send: () => void;
  constructor(send: () => void) {
    this.send = send;
  }
}

/** Serves the files below `root`, and nothing else, to one session. */
export function serveFiles(sftp: SFTPWrapper, root: string, onReplaced: () => void): void {
  offerExtensions(sftp);
  const handles = new Map<number, Entry>();
  let last = 0;
  const entryOf = (handle: Buffer): Entry => {
    const entry = handles.get(handle.readUInt32BE());
    if (entry === undefined) throw new Error('no such handle');
    return entry;
  };
  const world: World = {
    ...{ sftp, onReplaced },
    entryOf,
    fileOf: (handle) => entryOf(handle) as FileHandle,
    forget: (handle) => void handles.delete(handle.readUInt32BE()),
    keep: (entry) => {
      handles.set((last += 1), entry);
      const handle = Buffer.alloc(4);
      handle.writeUInt32BE(last);
      return handle;
    },
    below: (path) => {
      if (path === root || path.startsWith(root + sep)) return path;
      throw Object.assign(new Error('not below the root'), { code: 'EACCES' });
    },
    act: (id, work) => {
      work().then(
        (answer) => {
          if (answer instanceof Reply) answer.send();
          else sftp.status(id, STATUS_CODE.OK);
        },
        (error: unknown) => sftp.status(id, statusOf(error)),
      );
    },
  };
  answerForHandles(world);
  answerForDirectories(world);
  answerForNames(world);
}

function answerForHandles({ sftp, act, below, keep, entryOf, fileOf, forget }: World): void {
  sftp.on('OPEN', (id, path, flags, { mode }) =>
    act(id, async () => {
      const handle = keep(await open(below(path), flagsToString(flags) ?? 'r', mode));
      return new Reply(() => sftp.handle(id, handle));
    }),
  );
  sftp.on('CLOSE', (id, handle) =>
    act(id, async () => {
      const entry = entryOf(handle);
      forget(handle);
      if ('fd' in entry) await entry.close();
    }),
  );
  sftp.on('READ', (id, handle, offset, length) =>
    act(id, async () => {
      const { buffer, bytesRead } = await fileOf(handle).read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead === 0) return new Reply(() => sftp.status(id, STATUS_CODE.EOF));
      return new Reply(() => sftp.data(id, buffer.subarray(0, bytesRead)));
    }),
  );
  sftp.on('WRITE', (id, handle, offset, data) =>
    act(id, async () => {
      await fileOf(handle).write(data, 0, data.length, offset);
    }),
  );
  sftp.on('FSETSTAT', (id, handle, { mode, uid, gid }) =>
    act(id, async () => {
      const file = fileOf(handle);
      if (uid !== undefined && gid !== undefined) await file.chown(uid, gid);
      if (mode !== undefined) await file.chmod(mode);
    }),
  );
}

function answerForDirectories({ sftp, act, below, keep, entryOf }: World): void {
  sftp.on('OPENDIR', (id, path) =>
    act(id, async () => {
      const handle = keep({ names: await readdir(below(path)) });
      return new Reply(() => sftp.handle(id, handle));
    }),
  );
  sftp.on('READDIR', (id, handle) =>
    act(id, async () => {
      const directory = entryOf(handle) as { names: readonly string[] };
      const { names } = directory;
      directory.names = [];
      if (names.length === 0) return new Reply(() => sftp.status(id, STATUS_CODE.EOF));
      const entries = names.map((filename) => ({ filename, longname: filename, attrs: NO_ATTRIBUTES }));
      return new Reply(() => sftp.name(id, entries));
    }),
  );
  sftp.on('MKDIR', (id, path, { mode }) =>
    act(id, async () => {
      await mkdir(below(path), mode);
    }),
  );
  sftp.on('RMDIR', (id, path) => act(id, () => rmdir(below(path))));
}

function answerForNames({ sftp, act, below, fileOf, onReplaced }: World): void {
  for (const [request, look] of [
    ['STAT', stat],
    ['LSTAT', lstat],
  ] as const) {
    sftp.on(request as 'STAT', (id, path) =>
      act(id, async () => {
        const attributes = attributesOf(await look(below(path)));
        return new Reply(() => sftp.attrs(id, attributes));
      }),
    );
  }
  sftp.on('REMOVE', (id, path) => act(id, () => unlink(below(path))));
  sftp.on('RENAME', (id, from, to) =>
    act(id, async () => {
      const isThere = await lstat(below(to)).then(
        () => true,
        () => false,
      );
      if (isThere) throw new Error('it is there already');
      await rename(below(from), to);
    }),
  );
  sftp.on('EXTENDED', (id, name, data) =>
    act(id, async () => {
      const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = strings(data);
      if (name === FSYNC) await fileOf(first).sync();
      else if (name === REPLACE) {
        await rename(below(first.toString()), below(second.toString()));
        onReplaced();
      } else throw new Error(`${name} is not offered`);
    }),
  );
}

/** ssh2 greets without extensions, and has no way to name any: its greeting gets them as it goes out. */
function offerExtensions(sftp: SFTPWrapper): void {
  const { _protocol: protocol } = sftp as unknown as Writing;
  const send = protocol.channelData.bind(protocol);
  protocol.channelData = (id, data) => {
    if (!data.equals(GREETING)) return send(id, data);
    protocol.channelData = send;
    const offers = [REPLACE, FSYNC].flatMap((name) => [text(name), text(EXTENSION_VERSION)]);
    const greeting = Buffer.concat([GREETING, ...offers]);
    greeting.writeUInt32BE(greeting.length - 4);
    return send(id, greeting);
  };
}

function text(value: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([length, Buffer.from(value)]);
}

function strings(data: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 4 <= data.length;) {
    const end = at + 4 + data.readUInt32BE(at);
    found.push(data.subarray(at + 4, end));
    at = end;
  }
  return found;
}

const NO_ATTRIBUTES: Attributes = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };

function attributesOf({ mode, uid, gid, size, atimeMs, mtimeMs }: Stats): Attributes {
  return { mode, uid, gid, size, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) };
}

function statusOf(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return STATUS_CODE.NO_SUCH_FILE;
  return code === 'EACCES' || code === 'EPERM' ? STATUS_CODE.PERMISSION_DENIED : STATUS_CODE.FAILURE;
}

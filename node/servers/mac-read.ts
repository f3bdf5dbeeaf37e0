import { codeOf, messageOf } from '../platform/errors.ts';
import type { Server } from './inventory.ts';
import type { MacNamedFile, MacRecordFile } from './mac-declaration.ts';
import type { MacRequest, MacView } from './mac-phones.ts';
import {
  type FileNow,
  type FileProblem,
  has,
  isRecordFile,
  judge,
  type NamedRead,
  pathFor,
  type RecordRead,
} from './mac-plan.ts';
import { findRecord, macBytesOf, macTextOf, writePlace } from './mac-records.ts';
import { MAX_MAC_FILE_BYTES, type RecordWriter } from './mac-transaction.ts';
import type { RemoteFiles } from './remote.ts';

/** Answers of a server to reading a file that would be the same at the next try. */
const PROBLEMS: Readonly<Record<string, FileProblem['code']>> = {
  'server.no-file': 'file-missing',
  'server.denied': 'file-unreadable',
  'server.too-large': 'file-too-large',
};

/** Reads the definition files of a server. @throws AppError of a lost session */
export async function readRecords(files: RemoteFiles, server: Server): Promise<RecordRead[]> {
  const reads: RecordRead[] = [];
  for (const file of server.macFiles.filter(isRecordFile)) {
    const found = await readFile(files, file.path);
    reads.push({ file, now: 'code' in found ? found : { text: macTextOf(found.content), found } });
  }
  return reads;
}

/** Looks for the provisioning files of both phones. `anew` has those, by path, that are to come back. */
export async function readNamed(
  files: RemoteFiles,
  server: Server,
  { from, to }: MacRequest,
  anew: ReadonlyMap<string, FileNow> = new Map(),
): Promise<NamedRead[]> {
  const look = async (file: MacNamedFile, mac: string | null): Promise<NamedRead['from']> => {
    if (mac === null) return null;
    const found = await readFile(files, pathFor(file, mac));
    return 'code' in found && found.code === 'file-missing' ? null : found;
  };
  const reads: NamedRead[] = [];
  for (const file of server.macFiles) {
    if (isRecordFile(file)) continue;
    const back = to === null ? null : (anew.get(pathFor(file, to)) ?? null);
    reads.push({ file, from: await look(file, from), to: await look(file, to), anew: back });
  }
  return reads;
}

/** What an extension has in each file, for people. */
export async function viewOf(files: RemoteFiles, server: Server, extension: string): Promise<MacView> {
  const views: MacView['files'][number][] = [];
  const macs = new Set<string>();
  for (const read of await readRecords(files, server)) {
    const { fault } = judge(read, extension);
    const places = 'code' in read.now ? [] : findRecord(read.now.text, read.file, extension).places;
    for (const { mac } of places) if (mac !== null) macs.add(mac);
    views.push({
      path: read.file.path,
      macs: places.map(({ mac, raw }) => mac ?? raw),
      problem: fault?.code ?? null,
    });
  }
  for (const mac of macs) {
    for (const { file, from } of await readNamed(files, server, { extension, from: mac, to: null })) {
      const problem = from === null ? 'provisioning-missing' : 'code' in from ? from.code : null;
      views.push({ path: pathFor(file, mac), macs: [mac], problem });
    }
  }
  return { extension, files: views };
}

/** Reads and writes the records of a server's declared files, for what is settled after a crash. */
export function recordWriter(server: Server): RecordWriter {
  const placeIn = (path: string, content: Buffer, extension: string) => {
    const file = server.macFiles.find(
      (each): each is MacRecordFile => isRecordFile(each) && each.path === path,
    );
    if (file === undefined) return null;
    const text = macTextOf(content);
    const { places } = findRecord(text, file, extension);
    const [place] = places;
    return place === undefined || places.length > 1 ? null : { file, text, place };
  };
  return {
    hasMac: (path, content, extension, mac) => {
      const found = placeIn(path, content, extension);
      return found !== null && has(found.place, mac);
    },
    withMac: (path, content, extension, mac) => {
      const found = placeIn(path, content, extension);
      return found === null ? null : macBytesOf(writePlace(found.text, found.place, found.file, mac));
    },
  };
}

async function readFile(files: RemoteFiles, path: string): Promise<FileNow | FileProblem> {
  try {
    const stat = await files.stat(path);
    // A link would be replaced by a file, and what it points to would stay as it is.
    if (stat.kind !== 'file')
      return { code: 'file-kind', message: `${path} is no regular file but a ${stat.kind}` };
    return { stat, content: await files.read(path, MAX_MAC_FILE_BYTES) };
  } catch (error) {
    const code = PROBLEMS[codeOf(error)];
    if (code === undefined) throw error;
    return { code, message: messageOf(error) };
  }
}

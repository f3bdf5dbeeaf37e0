import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Recording, RecordingSource } from '../../node/recordings/source.ts';
import { temporaryDirectory } from './process.ts';

const run = promisify(execFile);
const { signal } = new AbortController();

/** Every recording of extension 1121 that a source has, whenever it was. */
export async function allRecordings(source: RecordingSource): Promise<readonly Recording[]> {
  const query = {
    extensions: ['1121'],
    start: '1970-01-01T00:00:00',
    end: '2999-12-31T23:59:59',
    server: null,
  };
  return (await source.find(query, signal)).recordings;
}

/** A ZIP's entries and their content, as Python's zipfile reads and checks them. */
export async function readZip(zip: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'a.zip');
  await writeFile(path, zip);
  const program =
    'import base64, json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); ' +
    'print(json.dumps([[i.filename, base64.b64encode(z.read(i)).decode()] for i in z.infolist()]))';
  const { stdout } = await run('python3', ['-c', program, path], { maxBuffer: 64 * 1024 * 1024 });
  const entries = JSON.parse(stdout) as [string, string][];
  return new Map(entries.map(([name, content]) => [name, Buffer.from(content, 'base64')]));
}

/** What Info-ZIP says of a ZIP; throws where it finds a fault. */
export async function testZip(zip: Buffer): Promise<string> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'a.zip');
  await writeFile(path, zip);
  return (await run('unzip', ['-t', path], { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

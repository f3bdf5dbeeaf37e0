import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The files of a ZIP, as unzip gets them out, after it has tested every checksum. */
export async function unzip(content: Uint8Array): Promise<Map<string, Buffer>> {
  const directory = await mkdtemp(join(tmpdir(), 'parelha-zip-'));
  try {
    const file = join(directory, 'result.zip');
    await writeFile(file, content);
    await run('unzip', ['-tq', file]);
    await run('unzip', ['-q', file, '-d', join(directory, 'out')]);
    const entries = new Map<string, Buffer>();
    for (const name of (await readdir(join(directory, 'out'))).toSorted()) {
      entries.set(name, await readFile(join(directory, 'out', name)));
    }
    return entries;
  } finally {
    await rm(directory, { recursive: true });
  }
}

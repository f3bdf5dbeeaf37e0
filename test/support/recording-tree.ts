import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mapBounded } from '../../node/platform/concurrency.ts';
import { temporaryDirectory } from './process.ts';

/** A directory of recordings, and one for what is kept about them; removed together. */
export interface RecordingTree extends AsyncDisposable {
  /** RECORDINGS_DIR. */
  readonly root: string;
  /** For an index of it. */
  readonly directory: string;
  /** Makes files with the directories that they need. */
  write(files: Readonly<Record<string, Buffer | string>>): Promise<void>;
}

export async function recordingTree(
  files: Readonly<Record<string, Buffer | string>> = {},
): Promise<RecordingTree> {
  const temporary = await temporaryDirectory();
  const root = join(temporary.path, 'recordings');
  await mkdir(root);
  const write = async (more: typeof files): Promise<void> => {
    await mapBounded(Object.entries(more), 16, async ([key, content]) => {
      const path = join(root, key);
      if (key.includes('/')) await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    });
  };
  await write(files);
  return {
    root,
    directory: join(temporary.path, 'index'),
    write,
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

import { pipeline } from 'node:stream/promises';
import { Archiver as ArchiverPackage, type EntryData } from 'archiver';
import type { Archiver, OpenArchiver, PackedContent, StreamedContent } from './archiver.ts';
import { ZipFormat } from './zip-format.ts';

/** In each of the package's streams; a file's content counts as much as it has. */
const BUFFER_BYTES = 256 * 1024;
/** The content goes beside it. */
const NO_SOURCE = Buffer.alloc(0);

/** The package archiver with our format, put together as it does with its own (archiver 8, index.js). */
class ZipArchive extends ArchiverPackage {
  constructor(format: ZipFormat) {
    super({ highWaterMark: BUFFER_BYTES });
    Object.assign(this, { _format: 'zip', _module: format });
    (this as unknown as { readonly _modulePipe: () => void })['_modulePipe']();
  }
}

/** Opens a ZIP over a stream. */
export const openZip: OpenArchiver = (output, { level, signal }): Archiver => {
  const format = new ZipFormat({ level, highWaterMark: BUFFER_BYTES });
  const archive = new ZipArchive(format);
  /** Who waits for the entry that is being added. (A race with `piped` would keep every entry until that ends.) */
  let waiting: PromiseWithResolvers<void> | null = null;
  let broken: Error | null = null;
  const breakOff = (error: Error): void => {
    broken ??= error;
    waiting?.reject(broken);
    format.destroy(broken); // so that it waits no longer for the stream to take more
  };
  archive.on('entry', () => waiting?.resolve());
  archive.on('error', breakOff);
  const piped = pipeline(archive, output, { signal });
  piped.catch(breakOff);

  return {
    add: async (head, content) => {
      if (broken !== null) throw broken;
      waiting = Promise.withResolvers();
      const data: EntryData & { content: PackedContent | StreamedContent } = {
        name: head.name,
        date: new Date(`${head.date}Z`), // the package writes the UTC fields: wall time goes in as if it were UTC
        content,
      };
      archive.append(NO_SOURCE, data);
      await waiting.promise;
      waiting = null;
    },
    finish: async () => {
      if (broken !== null) throw broken;
      await Promise.race([archive.finalize(), piped]);
      await piped;
    },
  };
};

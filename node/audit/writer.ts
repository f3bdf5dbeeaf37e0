import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { isMissing, syncDirectory } from '../platform/durable.ts';
import { AppError, messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { chained, entryText, hashOf } from './chain.ts';
import type { Audit, AuditEvent } from './event.ts';
import { cutTornLine, MAX_LINE_BYTES, monthFile } from './files.ts';
import { type Head, writeHead, writeHeadDurable } from './head.ts';

/** Entries that share a wait for the disk. */
const MAX_BATCH = 1_000;
/** What the chain adds to an entry, at most. */
const CHAIN_BYTES = 100;

/** Entries that are written together. */
interface Batch {
  readonly at: string;
  readonly entries: readonly string[];
  readonly settle: PromiseWithResolvers<void>;
}

export interface AuditWriterOptions {
  readonly directory: string;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The newest entry there is. */
  readonly head: Head;
}

/** Appends entries, each chained to the one before; what is recorded while the disk is waited for shares the next wait. */
export class AuditWriter implements Audit {
  readonly #options: AuditWriterOptions;
  readonly #waiting: Batch[] = [];
  #head: Head;
  /** Settles each batch, and never rejects; null while there is none. */
  #writing: Promise<void> | null = null;
  /** A file in which a failed write may have left something behind, and how long it was before. */
  #torn: { readonly path: string; readonly size: number } | null = null;

  constructor(options: AuditWriterOptions) {
    this.#options = options;
    this.#head = options.head;
  }

  /** The newest entry that is on disk. */
  get head(): Head {
    return this.#head;
  }

  get isResting(): boolean {
    return this.#writing === null;
  }

  /** Resolves when nothing is being written. */
  async rest(): Promise<void> {
    await this.#writing;
  }

  record(event: AuditEvent): Promise<void> {
    return this.recordAll([event]);
  }

  async recordAll(events: readonly AuditEvent[]): Promise<void> {
    if (events.length === 0) return;
    const { clock, nodeId } = this.#options;
    const at = clock.now().toString({ smallestUnit: 'millisecond' });
    const entries = events.map((event) => entryText(at, nodeId, event));
    if (entries.some((entry) => Buffer.byteLength(entry) + CHAIN_BYTES > MAX_LINE_BYTES)) {
      throw new AppError('audit.too-large', `an entry has more than ${MAX_LINE_BYTES} bytes`);
    }
    const settle = Promise.withResolvers<void>();
    this.#waiting.push({ at, entries, settle });
    this.#writing ??= this.#drain();
    await settle.promise;
  }

  async #drain(): Promise<void> {
    for (let batches = this.#next(); batches.length > 0; batches = this.#next()) {
      try {
        await this.#append(batches);
        for (const { settle } of batches) settle.resolve();
      } catch (error) {
        for (const { settle } of batches) settle.reject(error);
        continue;
      }
      await this.#sayHead();
    }
    this.#writing = null;
  }

  /** As many as fit into one write; all of one file. */
  #next(): Batch[] {
    const [first] = this.#waiting;
    if (first === undefined) return [];
    const file = this.#fileOf(first);
    let count = 0;
    let entries = 0;
    for (const batch of this.#waiting) {
      entries += batch.entries.length;
      if (count > 0 && (entries > MAX_BATCH || this.#fileOf(batch) !== file)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  /** Never an earlier file than the newest: the chain goes through the files in the order of their names, and a clock can be set back. */
  #fileOf({ at }: Batch): string {
    const file = monthFile(at);
    return this.#head.file !== null && this.#head.file > file ? this.#head.file : file;
  }

  /** Appends the lines of these, whole or none of them. */
  async #append(batches: readonly Batch[]): Promise<void> {
    const { directory } = this.#options;
    const [first] = batches;
    if (first === undefined) return;
    const name = this.#fileOf(first);
    let last = this.#head.sha256;
    let text = '';
    for (const entry of batches.flatMap(({ entries }) => entries)) {
      const line = chained(entry, last);
      last = hashOf(line);
      text += `${line}\n`;
    }
    try {
      const end = await this.#appendText(join(directory, name), name, text);
      this.#head = { file: name, end, sha256: last };
    } catch (error) {
      await this.#mend().catch(() => undefined); // tried again before the next line
      const message = `${join(directory, name)}: ${messageOf(error)}`;
      throw new AppError('audit.unwritable', message, { retriable: true, cause: error });
    }
  }

  /** Gives the size of the file afterwards. */
  async #appendText(path: string, name: string, text: string): Promise<number> {
    await this.#mend();
    const known = name === this.#head.file ? this.#head.end : 0;
    await using file = await open(path, 'a+', 0o600);
    let { size } = await file.stat();
    // Somebody else has written here. What is no whole line goes; the others stay, and `verify` finds them.
    if (size !== known) size = await cutTornLine(file);
    // A new file is there for good once its directory says so.
    if (size === 0) await syncDirectory(this.#options.directory);
    this.#torn = { path, size };
    await file.appendFile(text);
    await file.datasync(); // its size too (fdatasync(2)): what is needed to read it back
    this.#torn = null;
    return size + Buffer.byteLength(text);
  }

  /** Removes what a failed write left: nobody was told that it stands. */
  async #mend(): Promise<void> {
    if (this.#torn === null) return;
    try {
      await truncate(this.#torn.path, this.#torn.size);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    this.#torn = null;
  }

  async #sayHead(): Promise<void> {
    const { directory } = this.#options;
    try {
      await writeHead(directory, this.#head).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
        return writeHeadDurable(directory, this.#head);
      });
    } catch (error) {
      // The next entry says it again; until then the log is vouched for by this process alone.
      this.#options.log.warn('the head of the audit log could not be written', { reason: messageOf(error) });
    }
  }
}

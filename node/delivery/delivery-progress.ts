import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Recording } from '../recordings/source.ts';

/** So often the log says how far a delivery is; a shorter one is not told of. */
const LOG_EVERY_MS = 5_000;

export interface ProgressOptions {
  readonly recordings: readonly Recording[];
  readonly parts: number;
  /** Whether recordings are published singly, beside the ZIP. */
  readonly singles: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: (text: string) => void;
}

/** How far a delivery is, for operators: told at each step, and in the log every few seconds until disposed of. */
export interface DeliveryProgress extends Disposable {
  /** A recording was published singly, or left out (0 bytes). */
  published(bytes: number): void;
  /** A ZIP is begun; where it is one that was begun before, that one no longer counts. */
  beginPart(number: number): void;
  /** So much more has been put into the ZIP. */
  zipped(recordings: number, bytes: number): void;
}

interface Count {
  files: number;
  bytes: number;
}

export function trackProgress(options: ProgressOptions): DeliveryProgress {
  const { recordings, clock, log, tell } = options;
  const ended = new AbortController();
  const whole: Count = { files: recordings.length, bytes: 0 };
  for (const recording of recordings) whole.bytes += recording.archived === true ? 0 : recording.sizeBytes;
  const single: Count = { files: 0, bytes: 0 };
  const zip: Count = { files: 0, bytes: 0 };
  /** What the ZIP counts held when each part was begun. */
  const before = new Map<number, Count>();
  let part = 1;
  const text = (): string => {
    const inZip = `ZIP ${amountOf(zip, whole)}${options.parts > 1 ? ` (part ${part} of ${options.parts})` : ''}`;
    return options.singles ? `published ${amountOf(single, whole)}; ${inZip}` : inZip;
  };
  const logRegularly = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(LOG_EVERY_MS, ended.signal);
      log.info(`delivering: ${text()}`);
    }
  };
  logRegularly().catch(() => undefined); // ended
  return {
    published: (bytes) => {
      single.files += 1;
      single.bytes += bytes;
      tell(text());
    },
    beginPart: (number) => {
      part = number;
      Object.assign(zip, before.get(number) ?? zip);
      before.set(number, { ...zip });
      tell(text());
    },
    zipped: (files, bytes) => {
      zip.files += files;
      zip.bytes += bytes;
      tell(text());
    },
    [Symbol.dispose]: () => ended.abort(new Error('the delivery is over')),
  };
}

const UNITS = [
  { from: 10_000_000_000, name: 'GB', bytes: 1_000_000_000 },
  { from: 10_000_000, name: 'MB', bytes: 1_000_000 },
  { from: 0, name: 'kB', bytes: 1_000 },
] as const;

/** `120 of 500 recordings, 117 of 490 MB`: both amounts in the unit of the whole. */
function amountOf(done: Count, whole: Count): string {
  const unit = UNITS.find(({ from }) => whole.bytes >= from) ?? UNITS[2];
  const inUnit = (bytes: number): string => String(Math.round(bytes / unit.bytes));
  return `${done.files} of ${whole.files} recordings, ${inUnit(done.bytes)} of ${inUnit(whole.bytes)} ${unit.name}`;
}

import { appendFile, mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { conversation, randomFrom, SAMPLE_RATE_HZ } from './voice.ts';

const WAV_HEADER_BYTES = 44;
const BYTES_A_SAMPLE = 2;
const CALLS = 40;
/** Calls in which nobody spoke. */
const EMPTY_CALLS: readonly number[] = [4, 7, 28];
const DAYS = 3;
const EXTENSIONS = ['1121', '1122', '1123', '1130'] as const;
/** Numbers nobody has. */
const OUTSIDE = ['1100000101', '1100000102', '2100000103'] as const;
/** An extension with so many short calls in a day that a mail does not list them all. */
export const BUSY = '1200';
const BUSY_CALLS = 130;
const BUSY_EVERY_MINUTES = 4;
const BUSY_FROM_HOUR = 8;
/** Its calls sound like one of so many. */
const BUSY_SOUNDS = 6;
/** One in so many of its calls is kept as GSM, which no browser plays. */
const GSM_EVERY = 25;
/** A frame of GSM 06.10 that is silent, 20 ms (as Asterisk has it in codec_gsm's example). */
const SILENT_GSM = Buffer.from('d820a2e15a50004924924924500049249249245000492492492450004924924924', 'hex');
const GSM_FRAMES = 150;
const GROW_EVERY_MS = 200;
/** Long enough for whoever watches, short enough not to fill a disk when forgotten. */
const MAX_GROW_SECONDS = 90;

/** The calls of some extensions. */
export interface Calls {
  /** Files that hold a whole call. */
  readonly whole: readonly string[];
  /** Files that hold none: the PBX made them, and nobody spoke. */
  readonly empty: readonly string[];
  /** The call that goes on, where it is theirs. */
  readonly growing: string | null;
}

export interface RecordingTree {
  readonly root: string;
  /** The first and last day (`DD/MM/YYYY`) that have calls. */
  readonly firstDay: string;
  readonly lastDay: string;
  callsOf(extensions: readonly string[]): Calls;
  /** Ends the call that goes on. */
  endCall(): Promise<void>;
}

/** Makes a tree `YYYY/MM/DD` of calls of the last days, as a PBX in `zone` would have left it at `now`. */
export async function makeRecordings(root: string, now: Temporal.ZonedDateTime): Promise<RecordingTree> {
  const random = randomFrom(1121);
  const calls: Call[] = [];
  for (let call = 0; call < CALLS; call++) {
    const started = momentOf(call, now);
    const [origin, destination] = parties(call);
    const path = join(root, pathOf(started, origin, destination, call));
    const isEmpty = EMPTY_CALLS.includes(call);
    const samples = isEmpty ? new Float32Array() : conversation(3 + 5 * random(), call + 1);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, wav(samples));
    calls.push({ path, parties: [origin, destination], isEmpty });
  }
  await makeBusyDay(root, now.subtract({ days: 1 }));
  const growing = await startCall(root, now);
  const dayOf = (days: number): string => {
    const { day, month, year } = now.subtract({ days });
    return `${two(day)}/${two(month)}/${year}`;
  };
  return {
    root,
    firstDay: dayOf(DAYS - 1),
    lastDay: dayOf(0),
    callsOf: (extensions) => {
      const isTheirs = ({ parties: both }: Pick<Call, 'parties'>): boolean =>
        both.some((party) => extensions.includes(party));
      const theirs = calls.filter(isTheirs);
      return {
        whole: theirs.filter(({ isEmpty }) => !isEmpty).map(({ path }) => path),
        empty: theirs.filter(({ isEmpty }) => isEmpty).map(({ path }) => path),
        growing: isTheirs(growing) ? growing.path : null,
      };
    },
    endCall: growing.end,
  };
}

interface Call {
  readonly path: string;
  readonly parties: readonly [origin: string, destination: string];
  readonly isEmpty: boolean;
}

/** Calls spread over the last days, none in the future. */
function momentOf(call: number, now: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  const span = now.since(now.subtract({ days: DAYS - 1 }).startOfDay()).total('seconds');
  const seconds = Math.floor((span * (call + 0.5)) / CALLS);
  return now
    .subtract({ days: DAYS - 1 })
    .startOfDay()
    .add({ seconds });
}

/** Who calls whom: calls inside the house, to the outside and from it. */
function parties(call: number): readonly [origin: string, destination: string] {
  const inside = EXTENSIONS[call % EXTENSIONS.length] ?? EXTENSIONS[0];
  const colleague = EXTENSIONS[(call + 1 + (call % 3)) % EXTENSIONS.length] ?? EXTENSIONS[1];
  const outside = OUTSIDE[call % OUTSIDE.length] ?? OUTSIDE[0];
  if (call % 3 === 0 && colleague !== inside) return [inside, colleague];
  return call % 2 === 0 ? [inside, outside] : [outside, inside];
}

/** The calls of the busy extension, all of one day. */
async function makeBusyDay(root: string, day: Temporal.ZonedDateTime): Promise<void> {
  const sounds = Array.from({ length: BUSY_SOUNDS }, (_, index) =>
    wav(conversation(2 + index / 3, 900 + index)),
  );
  const silence = Buffer.concat(Array.from({ length: GSM_FRAMES }, () => SILENT_GSM));
  const start = day.startOfDay().add({ hours: BUSY_FROM_HOUR });
  for (let call = 0; call < BUSY_CALLS; call++) {
    const started = start.add({ minutes: call * BUSY_EVERY_MINUTES, seconds: (call * 17) % 60 });
    const outside = OUTSIDE[call % OUTSIDE.length] ?? OUTSIDE[0];
    const both = call % 2 === 0 ? ([BUSY, outside] as const) : ([outside, BUSY] as const);
    const isGsm = call % GSM_EVERY === GSM_EVERY - 1;
    const path = join(root, pathOf(started, both[0], both[1], 500 + call, isGsm ? 'gsm' : 'wav'));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, isGsm ? silence : (sounds[call % BUSY_SOUNDS] ?? silence));
  }
}

/** `YYYY/MM/DD/internal-ORIGIN-DEST-YYYYMMDD-HHMMSS-<epoch>.<sequence>.wav`, below the root. */
function pathOf(
  started: Temporal.ZonedDateTime,
  origin: string,
  destination: string,
  call: number,
  type = 'wav',
): string {
  const { year, month, day, hour, minute, second } = started;
  const date = [String(year), two(month), two(day)];
  const unique = `${Math.floor(started.epochMilliseconds / 1000)}.${call + 1}`;
  const name = `internal-${origin}-${destination}-${date.join('')}-${two(hour)}${two(minute)}${two(second)}-${unique}.${type}`;
  return join(...date, name);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** A WAV file: PCM, 16 bits, one channel (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"). */
function wav(samples: Float32Array): Buffer {
  const file = Buffer.alloc(WAV_HEADER_BYTES + samples.length * BYTES_A_SAMPLE);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(file.length - 8, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(SAMPLE_RATE_HZ, 24);
  file.writeUInt32LE(SAMPLE_RATE_HZ * BYTES_A_SAMPLE, 28);
  file.writeUInt16LE(BYTES_A_SAMPLE, 32);
  file.writeUInt16LE(BYTES_A_SAMPLE * 8, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(samples.length * BYTES_A_SAMPLE, 40);
  for (const [index, sample] of samples.entries()) {
    file.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32767), WAV_HEADER_BYTES + index * 2);
  }
  return file;
}

/** A call that goes on: the PBX writes its audio as it comes, and the sizes in its header only when it ends. */
async function startCall(
  root: string,
  now: Temporal.ZonedDateTime,
): Promise<{ path: string; parties: Call['parties']; end: () => Promise<void> }> {
  const both = [EXTENSIONS[0], EXTENSIONS[1]] as const;
  const path = join(root, pathOf(now.subtract({ seconds: 20 }), ...both, CALLS));
  const sound = wav(conversation(MAX_GROW_SECONDS, CALLS + 1)).subarray(WAV_HEADER_BYTES);
  const step = Math.round((SAMPLE_RATE_HZ * BYTES_A_SAMPLE * GROW_EVERY_MS) / 1000);
  let at = 20 * step;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.concat([wav(new Float32Array()), sound.subarray(0, at)]));

  let writing = Promise.resolve();
  const timer = setInterval(() => {
    const next = sound.subarray(at, at + step);
    at += next.length;
    writing = writing.then(() => appendFile(path, next));
  }, GROW_EVERY_MS);
  const end = async (): Promise<void> => {
    clearInterval(timer);
    await writing;
    const file = await open(path, 'r+');
    await file.write(
      wav(new Float32Array(at / BYTES_A_SAMPLE)).subarray(0, WAV_HEADER_BYTES),
      0,
      WAV_HEADER_BYTES,
      0,
    );
    await file.close();
  };
  return { path, parties: both, end };
}

/** Days over which the recordings are spread; the last one is today. */
export const DAYS = 417;
const EXTENSIONS = { first: 1000, count: 1400 };
/** Calls with a number outside, which nobody asks for. */
const OUTSIDE_SHARE = 1 / 3;
const SECONDS_PER_DAY = 86_400;
const ASKED = { extensions: 10, days: 30 };

/** What is asked: as a request, wall times without a zone. */
export interface Asked {
  readonly extensions: readonly string[];
  readonly start: string;
  readonly end: string;
}

/** Numbers in [0, 1) that are the same at each run (xorshift). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export interface Named {
  /** `YYYY/MM/DD`. */
  readonly day: string;
  readonly name: string;
}

/** Names of recordings as a PBX writes them: by day, within a day in no order. */
export function* namesUpTo(today: Temporal.PlainDate, count: number, seed = 1): Generator<Named> {
  const random = randomFrom(seed);
  const first = today.subtract({ days: DAYS - 1 });
  let last = -1;
  let date = '';
  let epoch = 0;
  for (let index = 0; index < count; index += 1) {
    const day = Math.floor((index / count) * DAYS);
    if (day !== last) {
      const plain = first.add({ days: day });
      date = plain.toString();
      epoch = plain.toZonedDateTime('UTC').epochMilliseconds / 1000;
      last = day;
    }
    yield { day: date.replaceAll('-', '/'), name: nameOf(date.replaceAll('-', ''), epoch, index, random) };
  }
}

function nameOf(date: string, epoch: number, index: number, random: () => number): string {
  const second = Math.floor(random() * SECONDS_PER_DAY);
  const [one, two] = [extension(random), random() < OUTSIDE_SHARE ? outside(random) : extension(random)];
  const [from, to] = random() < 0.5 ? [one, two] : [two, one];
  const parts = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60];
  const time = parts.map((part) => String(part).padStart(2, '0')).join('');
  return `internal-${from}-${to}-${date}-${time}-${epoch + second}.${index}.wav`;
}

function extension(random: () => number): string {
  return String(EXTENSIONS.first + Math.floor(random() * EXTENSIONS.count));
}

function outside(random: () => number): string {
  return `119${String(Math.floor(random() * 1e8)).padStart(8, '0')}`;
}

/** Questions of 10 extensions and 30 days each, anywhere in the time there is. */
export function questions(today: Temporal.PlainDate, count: number, seed = 99): Asked[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const last = today.subtract({ days: Math.floor(random() * (DAYS - ASKED.days)) });
    const extensions = new Set<string>();
    while (extensions.size < ASKED.extensions) extensions.add(extension(random));
    return {
      extensions: [...extensions],
      start: `${last.subtract({ days: ASKED.days - 1 })}T00:00:00`,
      end: `${last}T23:59:59`,
    };
  });
}

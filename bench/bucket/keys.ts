/** Days that the bucket holds recordings of, as an archive of a year and a bit does. */
export const DAYS = 400;
const FIRST_DAY = Temporal.PlainDate.from('2024-10-01');
const EXTENSIONS = 1_400;
const FIRST_EXTENSION = 1_000;
const FIRST_EPOCH = 1_727_740_800;
const SECONDS_PER_DAY = 86_400;
/** Numbers that share nothing with the counts above, so that what is dealt out by them looks dealt out at random. */
const [STEP_ORIGIN, STEP_DEST, STEP_SECOND] = [617, 1_013, 7_919];

/** What is asked for: ten extensions, two days in the middle. */
export const QUERY = {
  extensions: Array.from({ length: 10 }, (_, index) => String(FIRST_EXTENSION + 137 * (index + 1))),
  start: `${FIRST_DAY.add({ days: 200 }).toString()}T00:00:00`,
  end: `${FIRST_DAY.add({ days: 201 }).toString()}T23:59:59`,
  server: null,
};

/** So many keys, `2025/04/19/internal-1137-2024-20250419-101530-1745057730.7.wav`, as many of each day. */
export function* datedKeys(count: number): Generator<string> {
  const perDay = Math.ceil(count / DAYS);
  for (let index = 0; index < count; index += 1) {
    const day = Math.floor(index / perDay);
    yield `${FIRST_DAY.add({ days: day }).toString().replaceAll('-', '/')}/${nameOf(index, day)}`;
  }
}

/** The same recordings without directories. */
export function* flatKeys(count: number): Generator<string> {
  for (const key of datedKeys(count)) yield key.slice(key.lastIndexOf('/') + 1);
}

/** Recordings that are put later, on the last day. */
export function* laterKeys(count: number): Generator<string> {
  for (let index = 0; index < count; index += 1) yield nameOf(index, DAYS);
}

function nameOf(index: number, day: number): string {
  const origin = FIRST_EXTENSION + ((index * STEP_ORIGIN) % EXTENSIONS);
  const dest = FIRST_EXTENSION + ((index * STEP_DEST + 1) % EXTENSIONS);
  const second = (index * STEP_SECOND) % SECONDS_PER_DAY;
  const clock = [Math.floor(second / 3600), Math.floor(second / 60) % 60, second % 60];
  const date = FIRST_DAY.add({ days: day }).toString().replaceAll('-', '');
  const time = clock.map((part) => String(part).padStart(2, '0')).join('');
  const epoch = FIRST_EPOCH + day * SECONDS_PER_DAY + second;
  return `internal-${origin}-${dest}-${date}-${time}-${epoch}.${index % 100}.wav`;
}

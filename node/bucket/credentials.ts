import type { S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../platform/clock.ts';
import { inTime } from '../platform/in-time.ts';
import type { Log } from '../platform/log.ts';
import { type BucketUse, explainS3 } from './errors.ts';

/** What an operator is to know for as long as it is so: shown by `node-ctl status`. */
export interface HasWarnings {
  /** Sentences; empty where all is well. Never throws, never waits. */
  warnings(): readonly string[];
}

/** What signs requests and links. */
interface Credentials {
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

/** Whoever gives credentials (metadata of the host, STS, a program) may hang. */
const ANSWER_MS = 10_000;
/** Warnings are asked for every few seconds by a peer. */
const LOOK_AGAIN_MS = 10_000;
/** New credentials are asked for, before the SDK would, at most so often. */
const RENEW_MS = 10 * 60_000;

/** The end of temporary credentials; `unknown` where they do not tell it, null where they have none. */
export function endOf({ sessionToken, expiration }: Credentials): Temporal.Instant | 'unknown' | null {
  if (expiration !== undefined) return Temporal.Instant.fromEpochMilliseconds(expiration.getTime());
  return sessionToken === undefined ? null : 'unknown';
}

/**
 * Gives credentials that live until `wanted` where such can be had, for links die with what signed them: the SDK
 * alone keeps temporary ones until their last minutes. Rejects as the SDK does where there are none at all.
 */
export function lastingCredentials(
  client: S3Client,
  clock: Clock,
): (wanted: Temporal.Instant) => Promise<Credentials> {
  let renewing: Promise<void> | null = null;
  let renewedMs = Number.NEGATIVE_INFINITY;
  const renew = async (): Promise<void> => {
    const renewed = client.config.credentials({ forceRefresh: true });
    // Those that are there are as good as before; the SDK renews them when they end.
    await inTime(clock, ANSWER_MS, renewed).catch(() => null);
    renewing = null;
  };
  return async (wanted) => {
    const present = await client.config.credentials();
    const end = endOf(present);
    if (end === null || end === 'unknown' || Temporal.Instant.compare(end, wanted) >= 0) return present;
    if (renewing === null && clock.monotonicMs() - renewedMs >= RENEW_MS) {
      renewedMs = clock.monotonicMs();
      renewing = renew();
    }
    if (renewing === null) return present;
    await renewing;
    return client.config.credentials();
  };
}

/**
 * Keeps an eye on the credentials that a client signs with: warns of temporary ones, with which links die, and where
 * there are none; in the log when that begins. Looks at once, without being waited for, and again as it is asked.
 */
export function watchCredentials(options: {
  readonly client: S3Client;
  readonly use: BucketUse;
  readonly clock: Clock;
  readonly log: Log;
}): HasWarnings {
  const { client, use, clock, log } = options;
  let found: Found = { kind: 'well' };
  let lookedMs = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<void> => {
    const before = found.kind;
    found = await lookAt(client, use, clock);
    const sentence = sentenceOf(found, clock.now());
    if (found.kind !== before && sentence !== null) log.warn(sentence);
  };
  const lookAgain = (): void => {
    if (clock.monotonicMs() - lookedMs < LOOK_AGAIN_MS) return;
    lookedMs = clock.monotonicMs();
    // It tells of what fails itself.
    look().catch(() => undefined);
  };
  lookAgain();
  return {
    warnings: () => {
      lookAgain();
      const sentence = sentenceOf(found, clock.now());
      return sentence === null ? [] : [sentence];
    },
  };
}

type Found =
  | { readonly kind: 'well' }
  | { readonly kind: 'temporary'; readonly end: Temporal.Instant | 'unknown' }
  | { readonly kind: 'none'; readonly why: string };

async function lookAt(client: S3Client, use: BucketUse, clock: Clock): Promise<Found> {
  try {
    const credentials = await inTime(clock, ANSWER_MS, client.config.credentials());
    if (credentials === null)
      return { kind: 'none', why: `S3 credentials did not come within ${ANSWER_MS / 1000} s` };
    const end = endOf(credentials);
    return end === null ? { kind: 'well' } : { kind: 'temporary', end };
  } catch (error) {
    return { kind: 'none', why: explainS3(error, 'be used', use).message };
  }
}

function sentenceOf(found: Found, now: Temporal.Instant): string | null {
  if (found.kind === 'well') return null;
  if (found.kind === 'none') return found.why;
  const end = sayEnd(found.end, now);
  return `S3 is used with temporary credentials (${end}): a link dies with the credentials that signed it, maybe before LINK_HOURS are over; an access key of its own mends it (S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY)`;
}

function sayEnd(end: Temporal.Instant | 'unknown', now: Temporal.Instant): string {
  if (end === 'unknown') return 'they do not tell when they end';
  if (Temporal.Instant.compare(end, now) <= 0) return 'the last ones have just ended';
  return `the present ones end at ${end.toString({ smallestUnit: 'minute' })}`;
}

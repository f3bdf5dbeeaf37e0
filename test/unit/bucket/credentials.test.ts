import { describe, expect, test } from 'vitest';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type HasWarnings, watchCredentials } from '../../../node/bucket/credentials.ts';
import { createLog } from '../../../node/platform/log.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';

const KEYS = { accessKeyId: 'AKEXAMPLE', secretAccessKey: 'the-secret-key-of-this-test' };

interface Watched {
  readonly watch: HasWarnings;
  readonly clock: FixedClock;
  readonly lines: string[];
  /** Its warnings, after it has looked. */
  warned(): Promise<readonly string[]>;
}

function watched(credentials: NonNullable<S3ClientConfig['credentials']>): Watched {
  const clock = fixedClock(Temporal.Now.instant().round({ smallestUnit: 'minute' }).toString());
  const lines: string[] = [];
  const client = new S3Client({ region: 'sa-east-1', credentials });
  const log = createLog({ level: 'debug', style: 'terminal', write: (line) => lines.push(line) });
  const watch = watchCredentials({ client, use: 'publish', clock, log });
  const warned = async (): Promise<readonly string[]> => {
    watch.warnings();
    await new Promise((resolve) => setImmediate(resolve));
    return watch.warnings();
  };
  return { watch, clock, lines, warned };
}

const inHours = (hours: number): Date => new Date(Date.now() + hours * 3_600_000);

describe('the watch over credentials', () => {
  test('says nothing of an access key', async () => {
    const { warned, lines } = watched(KEYS);
    expect(await warned()).toEqual([]);
    expect(lines).toEqual([]);
  });

  test('warns of temporary ones: until when, what that means, and what mends it', async () => {
    const expiration = inHours(3);
    const { warned, lines } = watched({ ...KEYS, sessionToken: 'the-token', expiration });
    const [sentence = ''] = await warned();
    expect(sentence).toContain(`end at ${expiration.toISOString().slice(0, 16)}Z`);
    expect(sentence).toContain('LINK_HOURS');
    expect(sentence).toContain('S3_ACCESS_KEY_ID');
    expect(lines).toEqual([`warn  ${sentence}\n`]);
    expect(sentence + lines.join('')).not.toMatch(/the-token|the-secret|AKEXAMPLE/);
  });

  test('warns of a session that does not tell its end', async () => {
    const { warned } = watched({ ...KEYS, sessionToken: 'the-token' });
    expect(await warned()).toEqual([expect.stringContaining('do not tell when they end')]);
  });

  test('knows the end of renewed ones when it is asked again, and logs once', async () => {
    // Within five minutes of its end, the SDK asks again.
    let expiration = inHours(0.05);
    const { warned, clock, lines } = watched(async () => ({
      ...KEYS,
      sessionToken: 't',
      expiration,
    }));
    expect(await warned()).toEqual([expect.stringContaining(expiration.toISOString().slice(0, 16))]);
    expiration = inHours(9);
    clock.advance({ minutes: 1 });
    await warned();
    clock.advance({ minutes: 1 });
    const [sentence] = await warned();
    expect(sentence).toContain(expiration.toISOString().slice(0, 16));
    expect(lines).toHaveLength(1);
  });

  test('says where there are none, and that they do not come', async () => {
    const failure = Object.assign(new Error('none'), { name: 'CredentialsProviderError' });
    const { warned } = watched(() => Promise.reject(failure));
    expect(await warned()).toEqual([
      expect.stringContaining('no credentials were found: set S3_ACCESS_KEY_ID'),
    ]);

    const hanging = watched(() => new Promise(() => undefined));
    expect(await hanging.warned()).toEqual([]);
    hanging.clock.advance({ seconds: 11 });
    expect(await hanging.warned()).toEqual(['S3 credentials did not come within 10 s']);
  });
});

import { describe, expect, test } from 'vitest';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { createPresigner, type Presigner } from '../../../node/bucket/presign.ts';
import { loadS3Sdk } from '../../../node/bucket/sdk.ts';
import { type FixedClock, fixedClock } from '../../support/fixed-clock.ts';

const KEYS = { accessKeyId: 'AKEXAMPLE', secretAccessKey: 'the-secret-key-of-this-test' };
const AS = { fileName: 'a.wav', contentType: 'audio/wav', disposition: 'inline' } as const;
const sdk = await loadS3Sdk();

/** The SDK compares ends with the machine's clock, so this one begins there. */
function machineClock(): FixedClock {
  return fixedClock(Temporal.Now.instant().round({ smallestUnit: 'second' }).toString());
}

function presignerOf(credentials: NonNullable<S3ClientConfig['credentials']>, clock: FixedClock): Presigner {
  const client = new sdk.S3Client({ region: 'sa-east-1', credentials });
  return createPresigner({ sdk, client, bucket: 'bucket-example', use: 'recordings', clock });
}

/** Gives temporary credentials that live `hours`, a new one at each call. */
function role(clock: FixedClock, hours: number) {
  const state = { calls: 0, hours, fail: false };
  const provider = async () => {
    state.calls += 1;
    if (state.fail) throw Object.assign(new Error('no answer'), { name: 'CredentialsProviderError' });
    const expiration = new Date(clock.now().add({ minutes: state.hours * 60 }).epochMilliseconds);
    return { ...KEYS, sessionToken: `token-${state.calls}`, expiration };
  };
  return { state, provider };
}

const tokenOf = (link: string): string | null => new URL(link).searchParams.get('X-Amz-Security-Token');

describe('a link', () => {
  test('lives as long as asked, and never over the seven days that S3 allows', async () => {
    const clock = fixedClock();
    const presigner = presignerOf(KEYS, clock);
    const query = async (hours: number): Promise<URLSearchParams> =>
      new URL(await presigner.link('a b/ç.wav', AS, clock.now().add({ hours }))).searchParams;
    const day = await query(24);
    expect(day.get('X-Amz-Expires')).toBe('86400');
    expect(day.get('X-Amz-Date')).toBe('20260302T120000Z');
    expect(day.get('response-content-type')).toBe('audio/wav');
    expect(day.get('response-cache-control')).toBe('private, no-store');
    expect((await query(24 * 30)).get('X-Amz-Expires')).toBe('604800');
  });

  test.each([0, -5])('that would have ended %i hours from now is not made', async (hours) => {
    const clock = fixedClock();
    const link = presignerOf(KEYS, clock).link('a.wav', AS, clock.now().add({ hours }));
    await expect(link).rejects.toMatchObject({ code: 'recordings.expired' });
  });

  test('opens the key that is asked for, and is saved under the name that is', async () => {
    const clock = fixedClock();
    const as = { ...AS, fileName: 'ligação "1".wav' };
    const link = await presignerOf(KEYS, clock).link('2025/10/ç +%.wav', as, clock.now().add({ hours: 1 }));
    const url = new URL(link);
    expect(`${url.hostname} ${decodeURIComponent(url.pathname)}`).toBe(
      'bucket-example.s3.sa-east-1.amazonaws.com /2025/10/ç +%.wav',
    );
    expect(url.searchParams.get('response-content-disposition')).toBe(
      `inline; filename="ligacao _1_.wav"; filename*=UTF-8''liga%C3%A7%C3%A3o%20%221%22.wav`,
    );
    expect(link).not.toContain(KEYS.secretAccessKey);
  });

  test('that cannot be signed for want of credentials may be tried again', async () => {
    const clock = machineClock();
    const { state, provider } = role(clock, 1);
    state.fail = true;
    const presigner = presignerOf(provider, clock);
    const wanted = clock.now().add({ hours: 1 });
    for (const attempt of [presigner.link('a.wav', AS, wanted), presigner.linksUntil(wanted)]) {
      await expect(attempt).rejects.toMatchObject({ code: 'recordings.unavailable', retriable: true });
    }
  });
});

describe('the end of links', () => {
  test('is the one wanted, within seven days, with credentials that last', async () => {
    const clock = fixedClock();
    const presigner = presignerOf(KEYS, clock);
    const inDays = (days: number) => clock.now().add({ hours: days * 24 });
    expect(await presigner.linksUntil(inDays(2))).toEqual(inDays(2));
    expect((await presigner.linksUntil(inDays(20)))?.toString()).toBe(inDays(7).toString());
  });

  test('is that of temporary credentials where they end earlier', async () => {
    const clock = machineClock();
    const presigner = presignerOf(role(clock, 6).provider, clock);
    const end = await presigner.linksUntil(clock.now().add({ hours: 24 }));
    expect(end?.toString()).toBe(clock.now().add({ hours: 6 }).toString());
    expect((await presigner.linksUntil(clock.now().add({ hours: 2 })))?.toString()).toBe(
      clock.now().add({ hours: 2 }).toString(),
    );
  });

  test('cannot be told where a session does not tell its own', async () => {
    const clock = fixedClock();
    const presigner = presignerOf({ ...KEYS, sessionToken: 'token' }, clock);
    expect(await presigner.linksUntil(clock.now().add({ hours: 1 }))).toBeNull();
  });
});

describe('temporary credentials that would end too early', () => {
  test('are renewed before links are signed, so that these live longer', async () => {
    const clock = machineClock();
    const { state, provider } = role(clock, 1);
    const presigner = presignerOf(provider, clock);
    const inMinutes = (minutes: number) => clock.now().add({ minutes });
    expect(tokenOf(await presigner.link('a.wav', AS, inMinutes(30)))).toBe('token-1');
    state.hours = 8;
    const end = await presigner.linksUntil(inMinutes(24 * 60));
    expect(end?.toString()).toBe(inMinutes(8 * 60).toString());
    expect(tokenOf(await presigner.link('a.wav', AS, inMinutes(24 * 60)))).toBe('token-2');
    expect(state.calls).toBe(2);
  });

  test('are not asked for again at each link, but after a while', async () => {
    const clock = machineClock();
    const { state, provider } = role(clock, 1);
    const presigner = presignerOf(provider, clock);
    const day = clock.now().add({ hours: 24 });
    const links = await Promise.all(
      Array.from({ length: 20 }, (_, index) => presigner.link(`${index}.wav`, AS, day)),
    );
    expect(new Set(links.map(tokenOf))).toEqual(new Set(['token-2']));
    clock.advance({ minutes: 9 });
    await presigner.link('a.wav', AS, day);
    expect(state.calls).toBe(2);
    clock.advance({ minutes: 2 });
    await presigner.link('a.wav', AS, day);
    expect(state.calls).toBe(3);
  });

  test('serve as they are where nobody gives newer ones, or does not answer', async () => {
    const clock = machineClock();
    const { state, provider } = role(clock, 1);
    const presigner = presignerOf(provider, clock);
    await presigner.link('a.wav', AS, clock.now().add({ minutes: 5 }));
    state.fail = true;
    const day = clock.now().add({ hours: 24 });
    expect(tokenOf(await presigner.link('a.wav', AS, day))).toBe('token-1');

    let hang = false;
    const { provider: second } = role(clock, 1);
    const hanging = presignerOf(() => (hang ? new Promise<never>(() => undefined) : second()), clock);
    await hanging.link('a.wav', AS, clock.now().add({ minutes: 5 }));
    hang = true;
    let token: string | null = null;
    const signed = hanging.link('a.wav', AS, day).then((link) => {
      token = tokenOf(link);
    });
    await expect
      .poll(() => {
        clock.advance({ seconds: 10 });
        return token;
      })
      .toBe('token-1');
    await signed;
  });
});

import { createHmac, timingSafeEqual } from 'node:crypto';
import { isObjectKey } from '../delivery/object-key.ts';
import type { Disposition } from '../recordings/source.ts';

/** Seconds since 1970 have ten digits until 2286; more would only be a way to make us compute. */
const EXPIRY = /^\d{1,11}$/;
const MAC = /^[A-Za-z0-9_-]{43}$/;
/** Stands before what is signed, so that the key can never vouch for anything else. */
const PURPOSE = 'parelha-link-v1';

/** What a link opens: one object, served in one way. */
export interface LinkTarget {
  readonly node: string;
  readonly job: string;
  readonly name: string;
  readonly disposition: Disposition;
}

export type Verdict =
  | { readonly kind: 'valid' | 'expired'; readonly disposition: Disposition }
  | { readonly kind: 'invalid' };

/** The path and query of a link, to be put after PUBLIC_URL. Expiry is rounded down to the second. */
export function signLink(key: Buffer, target: LinkTarget, expiresAt: Temporal.Instant): string {
  const expiry = String(Math.floor(expiresAt.epochMilliseconds / 1000));
  const mac = macOf(key, target, expiry);
  return `/d/${target.node}/${target.job}/${target.name}?e=${expiry}&s=${mac}`;
}

/**
 * Judges a link by its parts as they came. The way of serving is not in the link: the signature tells, being that of
 * the one or the other. Compared in constant time. Expired is said only of a link that we signed.
 */
export function verifyLink(
  key: Buffer,
  path: Omit<LinkTarget, 'disposition'>,
  expiry: string,
  mac: string,
  now: Temporal.Instant,
): Verdict {
  if (!isObjectKey(path.job, path.name) || !EXPIRY.test(expiry) || !MAC.test(mac)) return { kind: 'invalid' };
  const given = Buffer.from(mac);
  for (const disposition of ['inline', 'attachment'] as const) {
    if (!timingSafeEqual(given, Buffer.from(macOf(key, { ...path, disposition }, expiry)))) continue;
    return { kind: now.epochMilliseconds < Number(expiry) * 1000 ? 'valid' : 'expired', disposition };
  }
  return { kind: 'invalid' };
}

/**
 * The signature as it stands in a link. It is compared as text, since the last character of base64url (RFC 4648
 * section 3.5) has bits that say nothing: as bytes, four spellings of it would pass. A line break separates what is
 * signed: no part can hold one, so no two targets are signed alike.
 */
function macOf(key: Buffer, target: LinkTarget, expiry: string): string {
  const signed = [PURPOSE, target.node, target.job, target.name, expiry, target.disposition].join('\n');
  return createHmac('sha256', key).update(signed).digest('base64url');
}

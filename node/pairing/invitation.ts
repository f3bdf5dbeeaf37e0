import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { nodeIdSchema } from '../../protocol/messages.ts';
import type { Fingerprint } from '../peer/credentials.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';

const OPEN_MINUTES = 10;
const MAX_TRIES = 5;
const SECRET_BYTES = 32;
const FINGERPRINT_BYTES = 32;
const CHECK_BYTES = 4;
const MAX_LINE_LENGTH = 2000;
const PREFIX = 'parelha-pair-';
const VERSION = '1';

/** What an invitation tells the other side. */
export interface Invitation {
  /** Who invites. */
  readonly nodeId: string;
  /** Of its RPC listener, host and port alone. */
  readonly url: string;
  /** Of the certificate that answers there. */
  readonly fingerprint: Fingerprint;
  /** 256 bits in hexadecimal. */
  readonly secret: string;
}

function checkOf(body: Buffer): Buffer {
  return createHash('sha256').update(PREFIX).update(body).digest().subarray(0, CHECK_BYTES);
}

/**
 * An invitation as one word: a prefix with the format's version, then fingerprint, secret, and `nodeId url` in
 * hexadecimal, with a checksum. Letters and digits alone survive terminals, chats and mails: nothing there is wrapped,
 * quoted, set in italics or made a link of.
 */
export function formatInvitation({ nodeId, url, fingerprint, secret }: Invitation): string {
  const body = Buffer.concat([
    Buffer.from(fingerprint, 'hex'),
    Buffer.from(secret, 'hex'),
    Buffer.from(`${nodeId} ${url}`),
  ]);
  return `${PREFIX}${VERSION}-${Buffer.concat([body, checkOf(body)]).toString('hex')}`;
}

/** Reads a line that {@link formatInvitation} made; blanks that copying brought in are passed over. @throws AppError `pair.bad-line` */
export function parseInvitation(line: string): Invitation {
  const bad = (what: string): AppError => new AppError('pair.bad-line', `the invitation ${what}`);
  const word = line.replaceAll(/[\s"'`<>\u200B-\u200D\uFEFF]/g, '').toLowerCase();
  const parts = new RegExp(`^${PREFIX}(\\d+)-(.*)$`).exec(word);
  if (parts === null)
    throw bad(`does not begin with ${PREFIX}: copy the whole line that pair invite printed`);
  const [, version, hex = ''] = parts;
  if (version !== VERSION) throw bad('is of another version of Parelha: install the same one on both hosts');
  const bytes = Buffer.from(hex, 'hex');
  const damaged = 'is incomplete or altered: copy the whole line that pair invite printed';
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (line.length > MAX_LINE_LENGTH || bytes.length * 2 !== hex.length) throw bad(damaged);
  if (body.length < FINGERPRINT_BYTES + SECRET_BYTES || !checkOf(body).equals(bytes.subarray(-CHECK_BYTES))) {
    throw bad(damaged);
  }
  const [nodeId = '', url = ''] = body.toString('utf8', FINGERPRINT_BYTES + SECRET_BYTES).split(' ');
  if (!nodeIdSchema.safeParse(nodeId).success || listenerUrl(url) !== url) throw bad(damaged);
  return {
    nodeId,
    url,
    fingerprint: body.toString('hex', 0, FINGERPRINT_BYTES),
    secret: body.toString('hex', FINGERPRINT_BYTES, FINGERPRINT_BYTES + SECRET_BYTES),
  };
}

/** An https URL of host and port alone in its one spelling; null for any other. */
export function listenerUrl(text: string): string | null {
  const url = URL.parse(text);
  return url?.protocol === 'https:' && url.href === `${url.origin}/` ? url.origin : null;
}

/** The invitation that is open, if any: kept in memory alone, so that a restart closes it. */
export interface OpenInvitation {
  /** Opens one, in place of one that is open; the secret is told here and nowhere else. */
  open(): { readonly secret: string; readonly expiresAt: Temporal.Instant };
  close(): void;
  current(): { readonly expiresAt: Temporal.Instant; readonly triesLeft: number } | null;
  /** Closes it and gives true for its secret, where `fits`; anything else counts as a try, of which there are five. */
  redeem(secret: string, fits: boolean): boolean;
}

export function createOpenInvitation(clock: Clock): OpenInvitation {
  let held: { hash: Buffer; untilMs: number; expiresAt: Temporal.Instant; triesLeft: number } | null = null;
  const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

  const standing = (): typeof held => {
    if (held !== null && clock.monotonicMs() >= held.untilMs) held = null;
    return held;
  };
  return {
    open: () => {
      const secret = randomBytes(SECRET_BYTES).toString('hex');
      const expiresAt = clock.now().add({ minutes: OPEN_MINUTES });
      const untilMs = clock.monotonicMs() + OPEN_MINUTES * 60_000;
      held = { hash: hashOf(secret), untilMs, expiresAt, triesLeft: MAX_TRIES };
      return { secret, expiresAt };
    },
    close: () => {
      held = null;
    },
    current: () => {
      const open = standing();
      return open === null ? null : { expiresAt: open.expiresAt, triesLeft: open.triesLeft };
    },
    redeem: (secret, fits) => {
      const open = standing();
      if (open === null) return false;
      const right = timingSafeEqual(hashOf(secret), open.hash) && fits;
      open.triesLeft -= 1;
      if (right || open.triesLeft === 0) held = null;
      return right;
    },
  };
}

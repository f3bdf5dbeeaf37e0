import { randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const DIGITS = 8;
const LETTERS = 'ABCDEF';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** RFC 7914: 16 MB and some 40 ms for a guess. */
const COST = { N: 16_384, r: 8, p: 1 } as const;

const derive = promisify<string, Buffer, number, typeof COST, Buffer>(scrypt);

/**
 * A new token: 8 hexadecimal digits in upper case, one of them a letter, as an extension has none: written without its
 * brackets it is still known for a token, and blanked.
 */
export function newToken(): string {
  const digits = randomBytes(DIGITS / 2)
    .toString('hex')
    .toUpperCase();
  if (/[A-F]/.test(digits)) return digits;
  const at = randomInt(DIGITS);
  return digits.slice(0, at) + LETTERS[randomInt(LETTERS.length)] + digits.slice(at + 1);
}

export function newSalt(): string {
  return randomBytes(SALT_BYTES).toString('hex');
}

/** The salted hash of a token, in hexadecimal digits. */
export async function hashToken(token: string, salt: string): Promise<string> {
  return (await derive(token, Buffer.from(salt, 'hex'), KEY_BYTES, COST)).toString('hex');
}

/** Compares two hashes in a time that tells nothing of them. */
export function isSameHash(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')];
  return one.length === other.length && timingSafeEqual(one, other);
}

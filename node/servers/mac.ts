import type { MacNotation } from './mac-declaration.ts';

/** A MAC as it is kept: 12 lower-case hexadecimal digits. */
export const MAC = /^[0-9a-f]{12}$/;

const MAX_MAC_TEXT = 40;
const GROUPINGS = new Set(['12', '6,6', '4,4,4', '2,2,2,2,2,2']);
const ZERO = '0'.repeat(12);
const BROADCAST = 'f'.repeat(12);

export type MacReading =
  | { readonly ok: true; readonly mac: string }
  | { readonly ok: false; readonly code: 'mac-form' | 'mac-multicast' | 'mac-zero' | 'mac-broadcast' };

/**
 * The 12 digits of a MAC in any notation in use: `010203040506`, pairs with `:`, `-`, `.` or a blank (where a pair may
 * lack its leading zero, as Solaris writes it), `0102.0304.0506`, `010203-040506`. Null for anything else. Linear.
 */
export function readMac(text: string): string | null {
  return text.length > MAX_MAC_TEXT ? null : digitsOf(text.trim());
}

/**
 * Reads the MAC that a phone is to have. Whose lowest bit of the first octet is set is a group address, which no phone
 * has (IEEE 802-2014 section 8.2.2).
 */
export function parseMac(text: string): MacReading {
  const digits = readMac(text);
  if (digits === null) return { ok: false, code: 'mac-form' };
  if (digits === ZERO) return { ok: false, code: 'mac-zero' };
  if (digits === BROADCAST) return { ok: false, code: 'mac-broadcast' };
  const isGroup = Number.parseInt(digits.slice(0, 2), 16) % 2 === 1;
  return isGroup ? { ok: false, code: 'mac-multicast' } : { ok: true, mac: digits };
}

/** A MAC as a file writes it. */
export function printMac(mac: string, { separator, case: letters }: MacNotation): string {
  const digits = letters === 'upper' ? mac.toUpperCase() : mac.toLowerCase();
  if (separator === '') return digits;
  const size = separator === '.' ? 4 : 2;
  const groups: string[] = [];
  for (let at = 0; at < digits.length; at += size) groups.push(digits.slice(at, at + size));
  return groups.join(separator);
}

function digitsOf(text: string): string | null {
  const separator = /[^0-9A-Fa-f]/.exec(text)?.[0] ?? '';
  if (!['', ':', '-', '.', ' '].includes(separator)) return null;
  const groups = separator === '' ? [text] : text.split(separator);
  const whole = groups.length === 6 ? groups.map((group) => group.padStart(2, '0')) : groups;
  if (groups.includes('') || !GROUPINGS.has(whole.map(({ length }) => length).join(','))) return null;
  const digits = whole.join('').toLowerCase();
  return MAC.test(digits) ? digits : null;
}

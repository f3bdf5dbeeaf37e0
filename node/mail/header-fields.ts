import { isUtf8 } from 'node:buffer';

/** Header that every mail of ours carries, with the id of the node that sent it. */
export const LOOP_HEADER = 'X-Parelha-Loop';

/** A header field as it stands in the mail, unfolded (RFC 5322 section 2.2.3); one character for each octet. */
export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

/** The header of a mail: all up to the first empty line, or the whole where there is none. */
export function headerOf(raw: Buffer): Buffer {
  const ends = ['\r\n\r\n', '\n\n'].map((end) => raw.indexOf(end)).filter((at) => at >= 0);
  return raw.subarray(0, ends.length === 0 ? raw.length : Math.min(...ends));
}

/** Splits a header into its fields, in their order. Lines that are none are passed over. */
export function headerFields(header: Buffer): HeaderField[] {
  const fields: { name: string; value: string }[] = [];
  for (const line of header.toString('latin1').split(/\r?\n/)) {
    const last = fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last.value += ` ${line.trim()}`;
      continue;
    }
    const match = /^([!-9;-~]{1,100})[ \t]*:(.*)$/.exec(line);
    if (match !== null) fields.push({ name: (match[1] ?? '').toLowerCase(), value: (match[2] ?? '').trim() });
  }
  return fields;
}

/**
 * Text of a field that holds octets beyond ASCII although RFC 5322 forbids it: as UTF-8 where it is that
 * (RFC 6532), else as Latin-1, which old mail programs write.
 */
export function rawText(value: string): string {
  const octets = Buffer.from(value, 'latin1');
  return isUtf8(octets) ? octets.toString('utf8') : value;
}

import type { LinkPresentation } from '../recordings/source.ts';

/** Characters of a name that every browser takes as they are between quotes (RFC 6266, appendix D). */
const UNSAFE = /[^A-Za-z0-9._ -]/gu;
/** What no file may be called: ends of paths and lines, and marks that make an ending read as another. */
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF/\\]/g;
const ACCENTS = /\p{Mn}/gu;

/**
 * The Content-Disposition of what a link opens (RFC 6266): a name of plain letters as it is; any other in UTF-8 as
 * `filename*` (RFC 8187), with a name that is near to it for those that do not read that.
 */
export function dispositionOf({ disposition, fileName }: Omit<LinkPresentation, 'contentType'>): string {
  const name = fileName.toWellFormed().replaceAll(FORBIDDEN, '_');
  const plain = name.normalize('NFD').replaceAll(ACCENTS, '').replaceAll(UNSAFE, '_');
  const quoted = `${disposition}; filename="${plain}"`;
  return plain === name ? quoted : `${quoted}; filename*=UTF-8''${encodeExtended(name)}`;
}

/** `attr-char` of RFC 8187 section 3.2.1 are fewer than those that encodeURIComponent leaves. */
function encodeExtended(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (character) => `%${character.codePointAt(0)?.toString(16).toUpperCase() ?? ''}`,
  );
}

import { posix } from 'node:path';
import * as z from 'zod';

/** Where a MAC stands, as `mac_files` of SERVERS_FILE declares it. */
export type MacFile = MacRecordFile | MacNamedFile;

/** How a MAC is written: `010203040506`, `01:02:…`, `01-02-…`, `0102.0304.0506`. */
export interface MacNotation {
  readonly separator: '' | ':' | '-' | '.';
  readonly case: 'lower' | 'upper';
}

/** A definition file with a record for each extension. */
export interface MacRecordFile {
  readonly kind: 'line' | 'section';
  /** Absolute, on the server. */
  readonly path: string;
  /** How a record is known: text with `{ramal}`, on the same line as the field (`line`) or alone on the first line of its section. */
  readonly record: string;
  /** How the field is written, with `{mac}`. */
  readonly field: string;
  /** What stands in the place of `{mac}` where there is none. */
  readonly empty: string;
  readonly notation: MacNotation;
}

/** A provisioning file for each phone, named by its MAC. */
export interface MacNamedFile {
  readonly kind: 'rename';
  /** Absolute; its last part has `{mac}`. */
  readonly path: string;
  readonly notation: MacNotation;
}

const MAX_PATH_LENGTH = 1024;
const MAX_TEXT_LENGTH = 200;
// eslint-disable-next-line no-control-regex
const ONE_LINE = /^[^\u0000-\u001F\u007F]*$/;

/** Whether a path is absolute and written as it is meant: no `..`, no `//`, no `/` at its end. */
export function isPlainPath(path: string): boolean {
  return (
    path.startsWith('/') &&
    path.length <= MAX_PATH_LENGTH &&
    ONE_LINE.test(path) &&
    posix.normalize(path) === path &&
    !(path.length > 1 && path.endsWith('/'))
  );
}

const plainPath = z.string().refine(isPlainPath, 'must be an absolute path without .. in it');
const line = z.string().max(MAX_TEXT_LENGTH).regex(ONE_LINE, 'must be one line');
const having = (placeholder: string) =>
  line.refine((text) => timesIn(text, placeholder) === 1, `must have ${placeholder} in it, once`);

const notation = {
  separator: z.enum(['', ':', '-', '.'], 'must be "", ":", "-" or "."').default(''),
  case: z.enum(['lower', 'upper'], 'must be lower or upper').default('lower'),
};

const recordFile = {
  path: plainPath.refine((path) => !path.includes('{'), 'must be the path of one file'),
  field: having('{mac}').refine((text) => text.trim() !== '{mac}', 'must have more in it than {mac}'),
  empty: line.refine((text) => !/[0-9A-Fa-f]{12}/.test(text), 'must not look like a MAC').default(''),
  ...notation,
};

/** A file of `mac_files`. Fields that are not ours are refused: a misspelt one would change what is written. */
export const macFileSchema = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({ kind: z.literal('line'), record: having('{ramal}'), ...recordFile }),
      z.strictObject({
        kind: z.literal('section'),
        record: having('{ramal}').default('[{ramal}]'),
        ...recordFile,
      }),
      z.strictObject({
        kind: z.literal('rename'),
        path: plainPath.refine(
          (path) => timesIn(path, '{mac}') === 1 && timesIn(posix.basename(path), '{mac}') === 1,
          'must have {mac} in the name of the file, once',
        ),
        ...notation,
      }),
    ],
    'must be line, section or rename',
  )
  .transform(({ separator, case: letters, ...file }): MacFile => ({
    ...file,
    notation: { separator, case: letters },
  }));

function timesIn(text: string, part: string): number {
  return text.split(part).length - 1;
}

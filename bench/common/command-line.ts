import { parseArgs } from 'node:util';

/** What a bench was called with. */
export interface CommandLine<Part extends string, Option extends string> {
  /** Those named, in the order of the bench; all where none was. */
  readonly parts: readonly Part[];
  readonly quick: boolean;
  /** File that figures are added to. */
  readonly json: string | undefined;
  /** Further options of the bench, `--option TEXT`. */
  readonly options: Readonly<Partial<Record<Option, string>>>;
}

/** Reads `[PART …] [--quick] [--json FILE]` and what else a bench knows; ends the process (2) where a part is none. */
export function readCommandLine<Part extends string, Option extends string = never>(
  known: readonly Part[],
  more: readonly Option[] = [],
): CommandLine<Part, Option> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...Object.fromEntries(more.map((option) => [option, text])),
      quick: { type: 'boolean', default: false },
      json: text,
    },
  });
  const unknown = positionals.find((name) => !known.some((part) => part === name));
  if (unknown !== undefined) {
    console.error(`no such part: ${unknown}; there are ${known.join(', ')}`);
    process.exit(2);
  }
  const { quick, json, ...options } = values;
  return {
    parts: known.filter((part) => positionals.length === 0 || positionals.includes(part)),
    quick,
    json,
    options: options as CommandLine<Part, Option>['options'],
  };
}

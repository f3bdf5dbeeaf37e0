import type { Lane, SourceName } from '../../protocol/job.ts';
import { AppError } from '../platform/errors.ts';
import type { Json } from '../queue/steps.ts';
import type { Command, Fault, Field } from './command.ts';
import { nearest } from './did-you-mean.ts';
import { foldCase } from './subject-text.ts';
import { MAX_SUBJECT_LENGTH, readSubject, type Vocabulary, writeSubject } from './subject.ts';

const MAX_WORDS_COMPARED = 20;
const MAX_WORD_SHOWN = 40;

export type ParsedSubject =
  | {
      readonly ok: true;
      readonly command: Command;
      readonly params: Readonly<Record<string, Json>>;
      readonly lane: Lane;
      readonly source: SourceName | null;
    }
  | {
      readonly ok: false;
      /** The keyword it was taken for; null where there is no telling. */
      readonly command: string | null;
      readonly faults: readonly Fault[];
      /** A subject to copy: as near to what was meant as could be made out; null where that would be made up. */
      readonly corrected: string | null;
    };

export interface Registry {
  /** What a subject (without its token) asks for. Never throws. */
  parse(subject: string): ParsedSubject;
  /** A command by its keyword, internal ones too. */
  get(keyword: string): Command | undefined;
  /** The keywords a subject can ask for. */
  readonly keywords: readonly string[];
}

/**
 * All commands of the node. The first that is not internal is the one shown to whoever named none.
 * @throws AppError `commands.invalid` where two commands claim a keyword, or write a field in different ways
 */
export function createRegistry(commands: readonly Command[]): Registry {
  const byKeyword = new Map(commands.map((command) => [command.keyword, command]));
  if (byKeyword.size < commands.length) throw new AppError('commands.invalid', 'a keyword stands twice');
  const askable = commands.filter((command) => command.internal !== true);
  const keywords = askable.map(({ keyword }) => keyword);
  const vocabulary = vocabularyOf(askable);

  const refuse = (
    command: Command | null,
    faults: readonly Fault[],
    corrected?: string | null,
  ): ParsedSubject => ({
    ok: false,
    command: command?.keyword ?? null,
    faults,
    corrected:
      corrected === null || (corrected !== undefined && corrected.length <= MAX_SUBJECT_LENGTH)
        ? corrected
        : ((command ?? askable[0])?.example() ?? ''),
  });

  /** Fields as a subject, where it reads back as these fields: a word in a value may look like a key. */
  const rewritten = (fields: readonly Field[]): string | undefined => {
    const written = writeSubject(fields);
    const again = readSubject(written, vocabulary).fields;
    const same = ({ key, value }: Field, index: number): boolean =>
      again[index]?.key === key && again[index].value === value;
    return again.length === fields.length && fields.every(same) ? written : undefined;
  };

  /** The command itself, its faults beside those already found. */
  const parseAs = (
    command: Command,
    fields: readonly Field[],
    found: readonly Fault[] = [],
  ): ParsedSubject => {
    const parsed = command.parse(fields);
    if (!parsed.ok) return refuse(command, [...found, ...parsed.faults], parsed.corrected);
    if (found.length > 0) return refuse(command, found, rewritten(fields));
    return { ok: true, command, params: parsed.params, ...command.route(parsed.params) };
  };

  /** The command of which one of these words is a misspelling; null where there is none. */
  const misspelt = (
    words: readonly Field[],
    fields: readonly Field[],
    candidates: readonly string[],
  ): ParsedSubject | null => {
    for (const word of words) {
      const command = byKeyword.get(nearest(word.key, candidates) ?? '');
      if (command === undefined) continue;
      const values = { word: word.key.slice(0, MAX_WORD_SHOWN), suggestion: command.keyword };
      const others = fields.filter((field) => field !== word);
      const corrected = [{ key: command.keyword, value: word.value }, ...others];
      return parseAs(command, corrected, [{ field: 'SUBJECT', code: 'unknown-command', values }]);
    }
    return null;
  };

  /** No keyword stands in it: a misspelt one, else the command whose fields these are. */
  const guess = (fields: readonly Field[], preamble: string): ParsedSubject => {
    const words = [...unknownOf(fields, vocabulary), ...bareWords(preamble)];
    const found = misspelt(words, fields, keywords);
    if (found !== null) return found;
    const owner = ownerOf(fields, askable);
    if (owner !== null) return parseAs(owner, fields);
    return refuse(null, [{ field: 'SUBJECT', code: 'no-command', values: { known: keywords.join(', ') } }]);
  };

  /** The one command that is meant, of all whose keywords stand in the subject. */
  const parseOne = (subject: string, command: Command, asked: readonly Command[]): ParsedSubject => {
    const others = asked.filter((other) => other !== command).map(({ keyword }) => keyword);
    const own = new Set([command.keyword, ...Object.keys(command.fields ?? {})]);
    const { fields } = readSubject(subject, without(vocabulary, new Set(others).difference(own)));
    if (command.bare !== true) return parseAs(command, fields);
    // `RAMAS=1121 … na fila`: the word in the text is not what was asked for.
    const named = askable.filter(({ bare }) => bare !== true).map(({ keyword }) => keyword);
    return misspelt(unknownOf(fields, vocabulary), fields, named) ?? parseAs(command, fields);
  };

  return {
    keywords,
    get: (keyword) => byKeyword.get(keyword),
    parse(subject) {
      const { fields, preamble, fault } = readSubject(subject, vocabulary);
      if (fault !== null) return refuse(null, [fault]);
      const asked = askable.filter(({ keyword }) => fields.some(({ key }) => key === keyword));
      const meant = meantOf(asked, fields);
      const [command, second] = meant;
      if (command === undefined) return guess(fields, preamble);
      if (second === undefined) return parseOne(subject, command, asked);
      const values = { commands: meant.map(({ keyword }) => keyword).join(', ') };
      const own = fields.filter(
        ({ key }) => key === command.keyword || Object.hasOwn(command.fields ?? {}, key),
      );
      return parseAs(command, own, [{ field: 'SUBJECT', code: 'two-commands', values }]);
    },
  };
}

function vocabularyOf(commands: readonly Command[]): Vocabulary {
  const vocabulary = new Map<string, string>();
  for (const command of commands) {
    const fields = { [command.keyword]: [], ...command.fields };
    for (const [key, others] of Object.entries(fields)) {
      for (const written of [key, ...others]) {
        if ((vocabulary.get(written) ?? key) !== key) {
          throw new AppError('commands.invalid', `${written} stands for two fields`);
        }
        vocabulary.set(written, key);
      }
    }
  }
  return vocabulary;
}

/**
 * Those of the commands in a subject that are asked for. A command that has the others as its own fields is the only
 * one (`WHITELIST ADD x RAMAIS=1121`); a bare word beside a command with something in it is just a word (`Fila de
 * gravações RAMAIS=1121 …`); of bare words alone the first counts (`status da fila`).
 */
function meantOf(asked: readonly Command[], fields: readonly Field[]): readonly Command[] {
  if (asked.length < 2) return asked;
  const filled = new Set(fields.filter(({ value }) => value !== '').map(({ key }) => key));
  const holder = asked.find(
    (command) =>
      filled.has(command.keyword) &&
      asked.every((other) => other === command || Object.hasOwn(command.fields ?? {}, other.keyword)),
  );
  if (holder !== undefined) return [holder];
  const named = asked.filter(({ bare }) => bare !== true);
  const isFilled = ({ keyword, fields: own = {} }: Command): boolean =>
    [keyword, ...Object.keys(own)].some((key) => filled.has(key));
  if (named.length === asked.length || named.some(isFilled)) return named;
  const first = fields.find(({ key }) => asked.some(({ keyword, bare }) => bare === true && keyword === key));
  return asked.filter(({ keyword }) => keyword === first?.key);
}

/** Fields that no command knows. */
function unknownOf(fields: readonly Field[], vocabulary: Vocabulary): Field[] {
  const known = new Set(vocabulary.values());
  return fields.filter(({ key }) => !known.has(key));
}

function without(vocabulary: Vocabulary, keys: ReadonlySet<string>): Vocabulary {
  return new Map([...vocabulary].filter(([, key]) => !keys.has(key)));
}

/** Each word of a text as if it were a bare command, with what follows as its value. */
function bareWords(text: string): Field[] {
  const fields: Field[] = [];
  const folded = foldCase(text);
  for (const match of folded.matchAll(/[A-Z]\w{2,39}/g)) {
    if (fields.length === MAX_WORDS_COMPARED) break;
    fields.push({ key: match[0], value: text.slice(match.index + match[0].length).trim() });
  }
  return fields;
}

/** The command that most of these fields belong to, if any does. */
function ownerOf(fields: readonly Field[], commands: readonly Command[]): Command | null {
  let owner: Command | null = null;
  let most = 0;
  for (const command of commands) {
    const own = fields.filter(({ key }) => Object.hasOwn(command.fields ?? {}, key)).length;
    if (own > most) [owner, most] = [command, own];
  }
  return owner;
}

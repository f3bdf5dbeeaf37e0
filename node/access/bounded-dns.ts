import { Resolver } from 'node:dns/promises';

/** Answers of the DNS as `dns.resolve` gives them; its errors have codes as `ENOTFOUND` and `ETIMEOUT`. */
export type Lookup = (name: string, type: string) => Promise<string[][] | string[]>;

/** For one question: two tries of so long. */
const TRY_MS = 3_000;
const TRIES = 2;
/** Questions about one mail: DMARC walks up eight names, SPF may ask ten. */
const MAX_QUESTIONS = 60;
/** Questions about one mail without an answer; whoever has twenty signatures on a mail would hold the others up for minutes. */
const MAX_UNANSWERED = 2;
/** The codes that say for certain that there is nothing. */
const NOTHING = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/** The DNS servers of this host. */
export function systemLookup(): Lookup {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  return async (name, type) => (await resolver.resolve(name, type)) as string[][] | string[];
}

/** The questions that one mail may ask. */
export interface BoundedLookup {
  readonly lookup: Lookup;
  /** Whether one of them got neither an answer nor the word that there is none. */
  failed(): boolean;
}

/**
 * Asks each question once, and at most {@link MAX_QUESTIONS}; of what is over, it says that it does not exist. A DNS that
 * does not answer is not asked on and on.
 */
export function boundedLookup(lookup: Lookup): BoundedLookup {
  const answers = new Map<string, ReturnType<Lookup>>();
  let unanswered = 0;
  const ask: Lookup = async (name, type) => {
    if (unanswered >= MAX_UNANSWERED) throw withCode('ETIMEOUT', name);
    try {
      return await lookup(name, type);
    } catch (error) {
      if (!NOTHING.has((error as NodeJS.ErrnoException).code ?? '')) unanswered += 1;
      throw error;
    }
  };
  return {
    failed: () => unanswered > 0,
    lookup: (name, type) => {
      const key = `${type} ${name.toLowerCase()}`;
      const known = answers.get(key);
      if (known !== undefined) return known;
      if (answers.size >= MAX_QUESTIONS) return Promise.reject(withCode('ENOTFOUND', name));
      const answer = ask(name, type);
      answer.catch(() => undefined); // whoever asked is told; nobody else waits for it
      answers.set(key, answer);
      return answer;
    },
  };
}

/** Only names below `domain` are looked up; all others are said not to exist. */
export function lookupBelow(domain: string, lookup: Lookup): Lookup {
  return (name, type) => {
    const asked = name.toLowerCase().replace(/\.$/, '');
    return isBelow(asked, domain) ? lookup(name, type) : Promise.reject(withCode('ENOTFOUND', name));
  };
}

/** Whether a name is this domain or one below it; both in lower case. */
export function isBelow(name: string, domain: string): boolean {
  return name === domain || name.endsWith(`.${domain}`);
}

function withCode(code: string, name: string): Error {
  return Object.assign(new Error(`not looked up: ${name}`), { code });
}

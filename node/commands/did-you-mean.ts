import { distance } from 'fastest-levenshtein';

/** Longer words are compared by their beginning alone, so that a hostile one costs nothing. */
const MAX_WORD_LENGTH = 64;

/**
 * The candidate a person probably meant, whatever the case: at most one letter in three may differ (one, in words
 * of up to five letters). Null where none is that near, or two are equally so: a guess that may be wrong is worse
 * than none.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  const wanted = word.slice(0, MAX_WORD_LENGTH).toUpperCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const apart = distance(wanted, candidate.slice(0, MAX_WORD_LENGTH).toUpperCase());
    if (apart > bestDistance || apart >= candidate.length) continue;
    best = apart < bestDistance ? candidate : null;
    bestDistance = apart;
  }
  return best;
}

import { InvalidArgumentError } from 'commander';

/** An id, whole or its beginning; `list` is the command that shows such ids. */
export function idPrefixOf(list: string): (text: string) => string {
  return (text) => {
    const id = text.trim().toLowerCase();
    if (/^[0-9a-f]{4,64}$/.test(id)) return id;
    throw new InvalidArgumentError(`It must be 4 to 64 hexadecimal digits, as ${list} shows them.`);
  };
}

/** A whole number from 1 to `max`. */
export function numberUpTo(max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (number >= 1 && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
  };
}

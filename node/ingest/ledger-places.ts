/** Where each entry of a ledger begins in its file, by serial. */
export interface LedgerPlaces {
  add(serial: number, start: number): void;
  /** The part of the file that holds the entries after a serial, at most so many; null where there is none. */
  after(serial: number, limit: number): { readonly start: number; readonly end: number | null } | null;
  /** How many entries there are after a serial. */
  countAfter(serial: number): number;
}

/** Sixteen bytes an entry; found by bisection, since serials grow from entry to entry. */
export function createLedgerPlaces(): LedgerPlaces {
  const serials: number[] = [];
  const starts: number[] = [];

  const indexAfter = (serial: number): number => {
    let low = 0;
    let high = serials.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((serials[middle] ?? 0) <= serial) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    add: (serial, start) => {
      if (serial <= (serials.at(-1) ?? 0)) return; // a file that somebody put together: known, and not sent
      serials.push(serial);
      starts.push(start);
    },
    after: (serial, limit) => {
      const index = indexAfter(serial);
      const start = starts[index];
      return start === undefined ? null : { start, end: starts[index + limit] ?? null };
    },
    countAfter: (serial) => serials.length - indexAfter(serial),
  };
}

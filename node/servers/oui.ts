/** Who makes phones with the MACs of a prefix; null where nobody is known for it. */
export interface Makers {
  /** By 12 lower-case digits. The first call loads the list (some megabytes), the others find it there. */
  makerOf(mac: string): Promise<string | null>;
}

/** Digits of the blocks that IEEE gives out: MA-S, MA-M, MA-L; the longest that is known counts. */
const PREFIX_DIGITS = [9, 7, 6];
const MAX_NAME_LENGTH = 80;
const LOCAL_BIT = 0b10;

/** The makers that IEEE has registered, as `oui-data` has them. */
export function createMakers(): Makers {
  let list: Promise<Readonly<Record<string, string>>> | null = null;
  return {
    makerOf: async (mac) => {
      // A locally administered address has no maker in it (IEEE 802-2014 section 8.2.2).
      if ((Number.parseInt(mac.slice(0, 2), 16) & LOCAL_BIT) !== 0) return null;
      list ??= import('oui-data', { with: { type: 'json' } }).then((module) => module.default);
      const known = await list;
      for (const digits of PREFIX_DIGITS) {
        const entry = known[mac.slice(0, digits).toUpperCase()];
        // The first line is the name, the others are its address.
        if (entry !== undefined) return entry.split('\n', 1)[0]?.slice(0, MAX_NAME_LENGTH) ?? null;
      }
      return null;
    },
  };
}

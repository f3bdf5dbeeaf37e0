/** Slots for each name expected, so that searches stay short. */
const SLOTS_PER_NAME = 2;
const MIN_SLOTS = 1024;

/**
 * 53 bits that tell names apart (cyrb53, public domain). Two names of a folder of a million share theirs once in
 * 20,000 such folders; what follows is that one of them is not found until it is added by name.
 */
export function hashOf(name: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index);
    high = Math.imul(high ^ unit, 2654435761);
    low = Math.imul(low ^ unit, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

/** A set of hashes, in at most 36 bytes each: two million names take under 80 MB, however long they are. */
export interface NameSet {
  /** False where it was there already. */
  add(hash: number): boolean;
  /** Notes that one that is in it was met. */
  meet(hash: number): void;
  wasMet(hash: number): boolean;
  /** How many are in it and were not met. */
  unmet(): number;
}

export function createNameSet(expected: number): NameSet {
  let slots = MIN_SLOTS;
  while (slots < expected * SLOTS_PER_NAME) slots *= 2;
  // A hash plus one; 0: free.
  let keys = new Float64Array(slots);
  let met = new Uint8Array(slots);
  let size = 0;
  let metCount = 0;

  const slotOf = (key: number): number => {
    let slot = (key >>> 0) & (slots - 1);
    while (keys[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & (slots - 1);
    return slot;
  };
  const grow = (): void => {
    const [oldKeys, oldMet] = [keys, met];
    slots *= 2;
    keys = new Float64Array(slots);
    met = new Uint8Array(slots);
    for (let old = 0; old < oldKeys.length; old += 1) {
      const key = oldKeys[old] ?? 0;
      if (key === 0) continue;
      const slot = slotOf(key);
      keys[slot] = key;
      met[slot] = oldMet[old] ?? 0;
    }
  };

  return {
    add: (hash) => {
      const slot = slotOf(hash + 1);
      if (keys[slot] !== 0) return false;
      keys[slot] = hash + 1;
      size += 1;
      if (size * SLOTS_PER_NAME > slots) grow();
      return true;
    },
    meet: (hash) => {
      const slot = slotOf(hash + 1);
      if (keys[slot] === 0) return;
      metCount += 1 - (met[slot] ?? 0);
      met[slot] = 1;
    },
    wasMet: (hash) => met[slotOf(hash + 1)] === 1,
    unmet: () => size - metCount,
  };
}

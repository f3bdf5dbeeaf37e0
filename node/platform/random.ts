/** A number in [0, 1), to spread retries; not for secrets. */
export const systemRandom = (): number => Math.random();

import { AppError } from '../platform/errors.ts';

/** Who may ask for something. */
export interface Whitelist {
  /** Whether this address, in any case, may. */
  allows(address: string): boolean;
}

/**
 * A whitelist of exact addresses and of whole domains (`@example.com`; its subdomains are others).
 * Administrators are always on it. @throws AppError `access.whitelist` for an entry that is neither
 */
export function createWhitelist(entries: readonly string[], admins: readonly string[]): Whitelist {
  const addresses = new Set<string>();
  const domains = new Set<string>();
  for (const entry of [...entries, ...admins].map((text) => text.trim().toLowerCase())) {
    if (/^@[a-z0-9.-]+$/.test(entry)) domains.add(entry.slice(1));
    else if (/^[^\s@]+@[a-z0-9.-]+$/.test(entry)) addresses.add(entry);
    else
      throw new AppError('access.whitelist', `"${entry}" is neither an address nor a domain as @example.com`);
  }
  return {
    allows: (address) => {
      const wanted = address.trim().toLowerCase();
      const at = wanted.lastIndexOf('@');
      return at > 0 && (addresses.has(wanted) || domains.has(wanted.slice(at + 1)));
    },
  };
}

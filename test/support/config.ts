import type { TextFile } from '../../node/config/file.ts';
import { type Config, loadConfig } from '../../node/config.ts';

/** The least that a node needs to be told. */
export const LEAST_KEYS: Readonly<Record<string, string>> = {
  NODE_ID: 'audio',
  EMAIL_SERVICE: 'comandos@example.com',
  EMAIL_PASSWORD: 'correct-horse',
  SMTP_SERVER: 'smtp.example.com',
  WHITELIST: 'pessoa@example.com',
  ADMIN_EMAIL: 'admin@example.com',
  SENDER_AUTH: 'mx.example.com',
  RECORDINGS_DIR: '/srv/recordings',
  WEB_LISTEN: '127.0.0.1:8080',
  PUBLIC_URL: 'https://gravacoes.example.com',
};

/** Keys as the text of a configuration file; a null leaves one out. */
export function configText(changes: Readonly<Record<string, string | null>> = {}): string {
  return Object.entries({ ...LEAST_KEYS, ...changes })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** Loads a configuration from files in memory; `/c/node.conf` is the configuration itself, of mode 0600. */
export function loadFrom(
  text: string,
  more: {
    files?: Readonly<Record<string, string | Partial<TextFile>>>;
    env?: Readonly<Record<string, string>>;
    own?: Partial<TextFile>;
    groups?: readonly number[];
  } = {},
): Promise<{ config: Config; warnings: string[] }> {
  const files: Record<string, Partial<TextFile>> = { '/c/node.conf': { text, ...more.own } };
  for (const [path, file] of Object.entries(more.files ?? {})) {
    files[path] = typeof file === 'string' ? { text: file } : file;
  }
  return loadConfig({
    file: '/c/node.conf',
    env: more.env ?? {},
    groups: more.groups ?? [1000],
    readFile: (path) => {
      const file = files[path];
      if (file === undefined) return Promise.reject(Object.assign(new Error(path), { code: 'ENOENT' }));
      return Promise.resolve({ text: '', mode: 0o600, uid: 1000, gid: 1000, ...file });
    },
  });
}

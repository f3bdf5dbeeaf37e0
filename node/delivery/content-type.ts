/** What browsers play, or at least know by name; anything else is downloaded as bytes. */
const TYPES: Readonly<Record<string, string>> = {
  wav: 'audio/wav',
  wav49: 'audio/wav',
  mp3: 'audio/mpeg',
  gsm: 'audio/x-gsm',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  m4a: 'audio/mp4',
  zip: 'application/zip',
};

/** The media type of a file by the extension of its name. */
export function contentTypeOf(name: string): string {
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return TYPES[extension] ?? 'application/octet-stream';
}

import { type ConvertingProgram, LONGEST_SECONDS, MAX_PLAYING_BYTES } from './program-transcoder.ts';

/** As in SoX; with a format told, FFmpeg takes nothing for a playlist that leads elsewhere. */
const INPUTS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    wav: ['-f', 'wav'],
    wav49: ['-f', 'wav'],
    gsm: ['-f', 'gsm'],
    ulaw: ['-f', 'mulaw', '-ar', '8000', '-ac', '1'],
    ul: ['-f', 'mulaw', '-ar', '8000', '-ac', '1'],
    alaw: ['-f', 'alaw', '-ar', '8000', '-ac', '1'],
    al: ['-f', 'alaw', '-ar', '8000', '-ac', '1'],
    sln: ['-f', 's16le', '-ar', '8000', '-ac', '1'],
    sln16: ['-f', 's16le', '-ar', '16000', '-ac', '1'],
    g722: ['-f', 'g722'],
    g729: ['-f', 'g729'],
  }),
);

/** FFmpeg 5: about ten times as slow to begin as SoX, and knows everything that Asterisk writes. */
export const FFMPEG: ConvertingProgram = {
  name: 'ffmpeg',
  argumentsFor: (format, output) => {
    const input = INPUTS.get(format);
    if (input === undefined) return null;
    const quiet = ['-hide_banner', '-nostdin', '-loglevel', 'error', '-protocol_whitelist', 'pipe,file'];
    const limits = ['-t', String(LONGEST_SECONDS), '-fs', String(MAX_PLAYING_BYTES)];
    const wav = ['-map', '0:a:0', '-c:a', 'pcm_s16le', '-map_metadata', '-1', '-bitexact', '-f', 'wav'];
    return [...quiet, '-threads', '1', ...input, '-i', 'pipe:0', ...wav, ...limits, '-n', output];
  },
};

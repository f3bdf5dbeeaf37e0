/** Telephone audio: 8,000 samples a second. */
export const SAMPLE_RATE_HZ = 8000;

/** First three formants in hertz of Brazilian Portuguese vowels, male voice (rounded from phonetics textbooks). */
const VOWELS = [
  [730, 1200, 2450], // a
  [530, 1800, 2500], // é
  [390, 2050, 2600], // ê
  [280, 2250, 2950], // i
  [560, 920, 2450], // ó
  [400, 780, 2400], // ô
  [310, 680, 2300], // u
] as const;
const BANDWIDTHS_HZ = [80, 110, 160] as const;
const SYLLABLE_SECONDS = 0.19;
const PEAK = 0.72;

/** Who speaks: pitch of the voice and length of the vocal tract against a man's. */
const SPEAKERS = [
  { pitchHz: 112, tract: 1 },
  { pitchHz: 205, tract: 1.16 },
] as const;

/** Numbers from 0 to 1, the same for the same seed: a demo looks the same each time (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A conversation of two voices that take turns, as samples from -1 to 1. They speak no language. */
export function conversation(seconds: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  const samples = new Float32Array(Math.round(seconds * SAMPLE_RATE_HZ));
  let at = Math.round(0.15 * SAMPLE_RATE_HZ);
  for (let turn = Math.floor(random() * 2); at < samples.length; turn++) {
    const syllables = 4 + Math.floor(random() * 5);
    at = phrase(samples, at, SPEAKERS[turn % 2] ?? SPEAKERS[0], syllables, random);
    at += Math.round((0.15 + 0.25 * random()) * SAMPLE_RATE_HZ);
  }
  return telephone(samples, random);
}

/** A phrase falls in pitch and ends on a longer syllable; gives where it ends. */
function phrase(
  samples: Float32Array,
  start: number,
  speaker: (typeof SPEAKERS)[number],
  syllables: number,
  random: () => number,
): number {
  let at = start;
  for (let index = 0; index < syllables; index++) {
    const last = index === syllables - 1;
    const seconds = SYLLABLE_SECONDS * (0.75 + 0.5 * random()) * (last ? 1.5 : 1);
    const accent = random() < 0.35 ? 1.12 : 1;
    const pitchHz = speaker.pitchHz * accent * (1.12 - 0.3 * (index / syllables));
    const length = Math.round(seconds * SAMPLE_RATE_HZ);
    at = random() < 0.4 ? consonant(samples, at, random) : at;
    vowel(
      samples.subarray(at, at + length),
      { pitchHz, tract: speaker.tract, loudness: 0.7 + 0.3 * random() },
      random,
    );
    at += length;
  }
  return at;
}

/** A short breath of noise, as in `s` or `f`. */
function consonant(samples: Float32Array, start: number, random: () => number): number {
  const length = Math.round((0.04 + 0.05 * random()) * SAMPLE_RATE_HZ);
  let previous = 0;
  for (let index = 0; index < length && start + index < samples.length; index++) {
    const noise = random() * 2 - 1;
    samples[start + index] = 0.1 * (noise - previous) * Math.sin((Math.PI * index) / length);
    previous = noise;
  }
  return start + length;
}

interface Tone {
  readonly pitchHz: number;
  readonly tract: number;
  readonly loudness: number;
}

/** Pulses of the vocal folds through resonators at the formants, which glide from one vowel to another. */
function vowel(samples: Float32Array, tone: Tone, random: () => number): void {
  const pick = (): (typeof VOWELS)[number] => VOWELS[Math.floor(random() * VOWELS.length)] ?? VOWELS[0];
  const [from, to] = [pick(), pick()];
  const filters = BANDWIDTHS_HZ.map((bandwidth) => resonator(bandwidth));
  const vibrato = random() * 6;
  let phase = 0;
  let peak = 0;
  for (let index = 0; index < samples.length; index++) {
    const part = index / samples.length;
    phase += (tone.pitchHz * (1 + 0.015 * Math.sin(vibrato + part * 9))) / SAMPLE_RATE_HZ;
    phase -= Math.floor(phase);
    // The folds open slowly and shut at once (Rosenberg's pulse, differentiated): that is the buzz of a voice.
    const source = phase < 0.6 ? Math.sin((Math.PI * phase) / 0.6) * 0.4 : phase < 0.66 ? -1 : 0;
    let sound = source + 0.02 * (random() - 0.5);
    for (const [number, filter] of filters.entries()) {
      const formant = (from[number] ?? 500) + ((to[number] ?? 500) - (from[number] ?? 500)) * part;
      sound = filter(sound, Math.min(formant * tone.tract, 3600));
    }
    const envelope = Math.min(1, part / 0.15, (1 - part) / 0.3);
    samples[index] = sound * envelope;
    peak = Math.max(peak, Math.abs(sound * envelope));
  }
  // Formants that lie close together make some vowels many times louder; a speaker evens that out.
  for (let index = 0; index < samples.length; index++) {
    samples[index] = ((samples[index] ?? 0) / (peak || 1)) * tone.loudness;
  }
}

/** A two-pole resonator (Klatt 1980): a peak at the given frequency, with gain 1 at 0 Hz. */
function resonator(bandwidthHz: number): (input: number, frequencyHz: number) => number {
  let [one, two] = [0, 0];
  const decay = Math.exp((-Math.PI * bandwidthHz) / SAMPLE_RATE_HZ);
  const c = -decay * decay;
  return (input, frequencyHz) => {
    const b = 2 * decay * Math.cos((2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ);
    const output = (1 - b - c) * input + b * one + c * two;
    [one, two] = [output, one];
    return output;
  };
}

/** What a telephone line does: nothing below 300 Hz, a little noise, and an even level. */
function telephone(samples: Float32Array, random: () => number): Float32Array {
  const keep = Math.exp((-2 * Math.PI * 250) / SAMPLE_RATE_HZ);
  let [input, output, peak] = [0, 0, 0];
  const line = samples.map((sample) => {
    output = keep * (output + sample - input);
    input = sample;
    peak = Math.max(peak, Math.abs(output));
    return output;
  });
  return line.map((sample) => (sample / (peak || 1)) * PEAK + 0.004 * (random() - 0.5));
}

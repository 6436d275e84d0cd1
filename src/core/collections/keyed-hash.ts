/** Two words of 32 bits, random and secret. */
export type HashKey = Int32Array;

/**
 * A hash of 32 bits: HalfSipHash-1-3 over the UTF-16 units of a text. Without the key nobody can choose texts
 * that collide.
 */
export function keyedHash(text: string, key: HashKey): number {
  const { length } = text;
  const whole = length & ~1;
  let v0 = key[0]!;
  let v1 = key[1]!;
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  // Two units make a word. The last word has the length too. Three words of zeros follow.
  for (let i = 0; i <= whole + 6; i += 2) {
    let word = 0;
    if (i < whole) word = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16);
    else if (i === whole) word = (whole < length ? text.charCodeAt(i) : 0) | (length << 16);
    else if (i === whole + 2) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}

/**
 * The same hash of ASCII characters, one a byte, from `start` to before `end`. The rounds are written out in
 * both functions: one function that calls another for each character took 5 to 23 % longer.
 */
export function keyedHashOfAscii(bytes: Uint8Array, start: number, end: number, key: HashKey): number {
  const length = end - start;
  const whole = length & ~1;
  let v0 = key[0]!;
  let v1 = key[1]!;
  let v2 = v0 ^ 0x6c796765;
  let v3 = v1 ^ 0x74656462;
  for (let i = 0; i <= whole + 6; i += 2) {
    let word = 0;
    if (i < whole) word = bytes[start + i]! | (bytes[start + i + 1]! << 16);
    else if (i === whole) word = (whole < length ? bytes[start + i]! : 0) | (length << 16);
    else if (i === whole + 2) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}

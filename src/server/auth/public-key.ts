import { Buffer } from "node:buffer";
import { createPublicKey, hash, type KeyObject, verify } from "node:crypto";
import type { Signer, VerificationKey } from "./signer.ts";

/** The algorithms of tokens that are signed with a private key. */
export const PUBLIC_KEY_ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;
export type PublicKeyAlgorithm = (typeof PUBLIC_KEY_ALGORITHMS)[number];

const MIN_RSA_BITS = 2_048;
/** With a longer key, checking one signature takes milliseconds. */
const MAX_RSA_BITS = 8_192;
/** The same holds for a large exponent. With 1, everybody can sign. */
const MIN_RSA_EXPONENT = 3n;
const MAX_RSA_EXPONENT = 2n ** 32n;

/** A public key in PEM, or as a JSON Web Key (RFC 7517). */
export type PublicKeyText = string | Readonly<Record<string, unknown>>;

export type ReadPublicKey =
  | { readonly ok: true; readonly key: PublicKey }
  /** `problem` continues a sentence that begins with the key, and repeats nothing of it. */
  | { readonly ok: false; readonly problem: string };

/** The public key of an issuer of user tokens. It fits one algorithm. */
export class PublicKey implements VerificationKey {
  readonly algorithm: PublicKeyAlgorithm;
  /** Undefined: the key fits tokens with any `kid`. */
  readonly kid: string | undefined;
  readonly signer: Signer;
  readonly #digest: "sha256" | null;
  readonly #key: KeyObject | { readonly key: KeyObject; readonly dsaEncoding: "ieee-p1363" };
  readonly #signatureBytes: number;

  /** `jwksUrl`: where the key was found; undefined for a key of the configuration. */
  constructor(
    key: KeyObject,
    algorithm: PublicKeyAlgorithm,
    kid: string | undefined,
    jwksUrl: string | undefined,
  ) {
    this.algorithm = algorithm;
    this.kid = kid;
    const fingerprint = `key:${hash("sha256", key.export({ type: "spki", format: "der" }), "base64url")}`;
    this.signer = jwksUrl === undefined ? { fingerprint } : { fingerprint, jwksUrl };
    this.#digest = algorithm === "EdDSA" ? null : "sha256";
    // Tokens carry both numbers of the signature side by side (RFC 7518), and not in DER.
    this.#key = algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key;
    this.#signatureBytes = algorithm === "RS256" ? Math.ceil(modulusLength(key) / 8) : 64;
  }

  /** Synchronous: it takes a few tenths of a millisecond at most. */
  hasSigned(input: string, signature: Buffer): boolean {
    if (signature.length !== this.#signatureBytes) return false;
    return verify(this.#digest, Buffer.from(input, "latin1"), this.#key, signature);
  }
}

/**
 * Reads a public key for RS256, ES256 or EdDSA. Never throws, whatever the text is.
 *
 * `kid`: instead of the one in the key. `jwksUrl`: see `PublicKey`.
 */
export function readPublicKey(text: PublicKeyText, kid?: string, jwksUrl?: string): ReadPublicKey {
  if (typeof text === "string") {
    const problem = pemProblem(text);
    return problem === undefined
      ? makeKey(() => createPublicKey(text), kid, jwksUrl)
      : { ok: false, problem };
  }
  const problem = jwkProblem(text);
  if (problem !== undefined) return { ok: false, problem };
  const read = makeKey(
    () => createPublicKey({ key: publicPart(text), format: "jwk" }),
    kid ?? (text.kid as string | undefined),
    jwksUrl,
  );
  if (!read.ok || text.alg === undefined || text.alg === read.key.algorithm) return read;
  // RFC 9864 calls EdDSA by the name of the curve.
  if (read.key.algorithm === "EdDSA" && text.alg === "Ed25519") return read;
  return { ok: false, problem: "has an alg that is not RS256, ES256 or EdDSA, or does not fit the key" };
}

function makeKey(
  create: () => KeyObject,
  kid: string | undefined,
  jwksUrl: string | undefined,
): ReadPublicKey {
  let key: KeyObject;
  try {
    key = create();
  } catch {
    return { ok: false, problem: "cannot be read as a public key" };
  }
  switch (key.asymmetricKeyType) {
    case "rsa": {
      const problem = rsaProblem(key);
      return problem === undefined
        ? { ok: true, key: new PublicKey(key, "RS256", kid, jwksUrl) }
        : { ok: false, problem };
    }
    case "ec":
      if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") {
        return { ok: true, key: new PublicKey(key, "ES256", kid, jwksUrl) };
      }
      return { ok: false, problem: WRONG_TYPE };
    case "ed25519":
      return { ok: true, key: new PublicKey(key, "EdDSA", kid, jwksUrl) };
    default:
      return { ok: false, problem: WRONG_TYPE };
  }
}

const WRONG_TYPE = "must be an RSA key (RS256), a P-256 key (ES256) or an Ed25519 key (EdDSA)";

function rsaProblem(key: KeyObject): string | undefined {
  const bits = modulusLength(key);
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    return `must have ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, but has ${bits}`;
  }
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  const isGood = exponent >= MIN_RSA_EXPONENT && exponent <= MAX_RSA_EXPONENT && exponent % 2n === 1n;
  return isGood ? undefined : "has an exponent that no RSA key should have";
}

function modulusLength(key: KeyObject): number {
  return key.asymmetricKeyDetails?.modulusLength ?? 0;
}

/** One block of PEM, with nothing around it. */
const PEM = /^\s*-----BEGIN ([A-Z ]+)-----[\sA-Za-z\d+/=]+-----END \1-----\s*$/;

function pemProblem(text: string): string | undefined {
  // Such a key would be read as the public key that belongs to it.
  if (text.includes("PRIVATE KEY-----")) return IS_PRIVATE;
  const label = PEM.exec(text)?.[1];
  if (label === "PUBLIC KEY" || label === "RSA PUBLIC KEY") return undefined;
  if (label === "CERTIFICATE") {
    return "is a certificate: give its public key (openssl x509 -pubkey -noout -in FILE)";
  }
  return 'must be one block of PEM that begins with "-----BEGIN PUBLIC KEY-----", or a JWK as an object';
}

const IS_PRIVATE = "is a private key: give the public key only, and keep that one secret";
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth"];
/** The members of each type that hold the key, besides `crv`. */
const MEMBERS = { RSA: ["n", "e"], EC: ["x", "y"], OKP: ["x"] } as const;
const BASE64URL = /^[\w-]+$/;

function jwkProblem(jwk: Readonly<Record<string, unknown>>): string | undefined {
  const { kty, use, key_ops: operations, kid } = jwk;
  if (kty === "oct" || Object.hasOwn(jwk, "k")) {
    return "is a symmetric key (oct): it is a secret, and no public key";
  }
  if (PRIVATE_MEMBERS.some((member) => Object.hasOwn(jwk, member))) return IS_PRIVATE;
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") return WRONG_TYPE;
  if (use !== undefined && use !== "sig") return "is not for signatures, as its use says";
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return "is not for verifying, as its key_ops say";
  }
  if (kid !== undefined && typeof kid !== "string") return "has a kid that is no text";
  const isComplete = MEMBERS[kty].every((member) => {
    const value = jwk[member];
    return typeof value === "string" && BASE64URL.test(value);
  });
  return isComplete ? undefined : "is not a whole JWK";
}

function publicPart(jwk: Readonly<Record<string, unknown>>): Record<string, string> {
  const { kty, crv } = jwk as { kty: keyof typeof MEMBERS; crv: unknown };
  const part: Record<string, string> = { kty };
  if (typeof crv === "string") part.crv = crv;
  for (const member of MEMBERS[kty]) part[member] = jwk[member] as string;
  return part;
}

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { PublicKeyAlgorithm } from "../../src/server/auth/public-key.ts";
import { encode } from "./forge.ts";

const ENCODED = { publicKeyEncoding: { type: "spki", format: "pem" } } as const;

function makePair(algorithm: PublicKeyAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2_048 });
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "EdDSA":
      return generateKeyPairSync("ed25519");
  }
}

export interface HandmadeToken {
  /** Instead of the algorithm of the key. */
  readonly header?: Readonly<Record<string, unknown>> | string;
  readonly payload?: Readonly<Record<string, unknown>> | string;
}

/** A key of an identity provider, which signs tokens that libraries would not make. */
export class ProviderKey {
  readonly algorithm: PublicKeyAlgorithm;
  readonly kid: string | undefined;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;

  constructor(algorithm: PublicKeyAlgorithm, kid?: string) {
    this.algorithm = algorithm;
    this.kid = kid;
    ({ publicKey: this.publicKey, privateKey: this.privateKey } = makePair(algorithm));
  }

  get pem(): string {
    return this.publicKey.export({ ...ENCODED.publicKeyEncoding }).toString();
  }

  /** As it stands in a JWKS. */
  get jwk(): Record<string, unknown> {
    const { algorithm: alg, kid } = this;
    return { ...this.publicKey.export({ format: "jwk" }), alg, use: "sig", ...(kid && { kid }) };
  }

  signature(input: string): Buffer {
    const { algorithm, privateKey: key } = this;
    const digest = algorithm === "EdDSA" ? null : "sha256";
    return sign(digest, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  }

  token({ header, payload = {} }: HandmadeToken = {}): string {
    const { algorithm: alg, kid } = this;
    const input = `${encode(header ?? { alg, typ: "JWT", ...(kid && { kid }) })}.${encode(payload)}`;
    return `${input}.${this.signature(input).toString("base64url")}`;
  }
}

/** The text of a JWKS. */
export function jwksOf(...keys: (ProviderKey | Record<string, unknown>)[]): string {
  return JSON.stringify({ keys: keys.map((key) => (key instanceof ProviderKey ? key.jwk : key)) });
}

/** A private key in PEM and as a JWK, which no configuration may have. */
export function privateForms({ privateKey }: ProviderKey): { pem: string; jwk: Record<string, unknown> } {
  return {
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    jwk: { ...privateKey.export({ format: "jwk" }) },
  };
}

/** The same key in another form of PEM. */
export function pkcs1Of({ publicKey }: ProviderKey): string {
  return createPublicKey(publicKey.export({ type: "spki", format: "pem" }))
    .export({ type: "pkcs1", format: "pem" })
    .toString();
}

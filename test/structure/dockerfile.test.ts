import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const DOCKERFILE = readFileSync(new URL("../../Dockerfile", import.meta.url), "utf8");

it("the image runs as a user other than root, named by number: a name could be anybody", () => {
  const users = [...DOCKERFILE.matchAll(/^USER (.*)$/gm)].map(([, user]) => user);
  expect(users).toEqual([expect.stringMatching(/^[1-9]\d*(:[1-9]\d*)?$/)]);
  // After everything that needs more rights.
  expect(DOCKERFILE.indexOf("\nUSER ")).toBeGreaterThan(DOCKERFILE.lastIndexOf("\nCOPY "));
});

it("the images that it is built from have versions", () => {
  const images = [...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
  expect(images.length).toBeGreaterThan(0);
  for (const image of images) expect(image).toMatch(/:[^:]*\d/);
});

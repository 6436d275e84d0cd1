import { expect, it } from "vitest";
import { parseRedisUrls } from "../../../src/server/settings/parse-redis-urls.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

it.each([
  ["redis://localhost", ["redis://localhost"]],
  ["rediss://user:pass@redis.example:6380/3", ["rediss://user:pass@redis.example:6380/3"]],
  ["redis://user:a%25b@localhost", ["redis://user:a%25b@localhost"]],
  ["redis://[::1]:6379/", ["redis://[::1]:6379/"]],
  ["redis://one:7000, redis://two:7001", ["redis://one:7000", "redis://two:7001"]],
  ["redis://u:a%25%C3%A9@one", ["redis://u:a%25%C3%A9@one"]],
  ["redis://u:a,b@one,rediss://u:a,b@two", ["redis://u:a,b@one", "rediss://u:a,b@two"]],
])("%s is %j", (text, urls) => {
  expect(parseRedisUrls(text, "REDIS_URL")).toEqual(urls);
});

it.each([
  "localhost:6379",
  "http://localhost",
  "redis://",
  "redis://localhost/zero",
  "redis://localhost/1/2",
  "redis://user:hunter2@local host",
  "redis://user:hunter2%zz@localhost",
  "redis://user:hunter2%@localhost",
  "redis://us%er:hunter2@localhost",
  "redis://a:6379,b:6379",
  "redis://a,redis://user:hunter2@b/x",
  "redis://a,",
  "redis://user:hunter2%zz@localhost",
  "redis://hunter2%@localhost",
  "redis://localhost,redis://:hunter2%ff@localhost",
  "",
])("%j is not taken, and the error holds no password", (text) => {
  const message = settingsErrorOf(() => parseRedisUrls(text, "REDIS_URL"));
  expect(message).toMatch(/^REDIS_URL must be redis:\/\//);
  expect(message).not.toContain("hunter2");
});

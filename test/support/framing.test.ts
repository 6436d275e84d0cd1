import { expect, it } from "vitest";
import { framedRequests } from "./framing.ts";

const GET = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
const chunked = (body: string) =>
  `POST /first HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
const sized = (length: string, body: string) =>
  `POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`;
const first = (body: string | undefined) => ({ path: "/first", body });
const next = { path: "/next", body: "" };

it.each([
  ["nothing", "", []],
  ["two requests", GET + GET, [next, next]],
  ["a sized body", sized("3", `abc${GET}`), [first("abc"), next]],
  ["a body cut short", sized("300", GET), [first(undefined)]],
  ["a bad length", sized("+3", `abc${GET}`), []],
  ["chunks", chunked(`3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n${GET}`), [first("abcde"), next]],
  ["an extension", chunked(`3 ; a="b"\r\nabc\r\n0;x\r\n\r\n${GET}`), [first("abc"), next]],
  [
    "a trailer like a request",
    chunked(`0\r\nX:GET /next HTTP/1.1\r\nHost: x\r\n\r\n${GET}`),
    [first(""), next],
  ],
  ["a bad size", chunked(`g\r\nabc\r\n0\r\n\r\n${GET}`), [first(undefined)]],
  ["a size on a bare line feed", chunked(`3\nabc\r\n0\r\n\r\n${GET}`), [first(undefined)]],
  ["a space before a size", chunked(` 3\r\nabc\r\n0\r\n\r\n${GET}`), [first(undefined)]],
  ["a chunk that ends badly", chunked(`3\r\nabcXX0\r\n\r\n${GET}`), [first(undefined)]],
  ["a huge size", chunked(`ffffffffffffffff3\r\nabc\r\n0\r\n\r\n${GET}`), [first(undefined)]],
  ["two hosts", GET.replace("Host", "Host: y\r\nHost"), []],
])("%s", (_name, text, requests) => expect(framedRequests(text)).toEqual(requests));
